"""The catalogue of events equals the documented one, and refuses what does not accord with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from innkeeper.core.errors import NotFound
from innkeeper.core.events import EventType
from innkeeper.events import reference
from innkeeper.events.catalogue import EVENTS, event

DOCUMENTED = [
    line for line in (Path(__file__).parent / "catalogue.txt").read_text().splitlines() if not line.startswith("#")
]


def described(event: EventType) -> str:
    marked = [f"{each.name}{'*' * each.required}{'!' * each.secret}" for each in event.parameters]
    return f"{event.name} {event.object_type} {event.kind}: {' '.join(marked)}"


def test_the_catalogue_is_the_documented_one() -> None:
    assert [described(event) for event in EVENTS.values()] == DOCUMENTED
    assert len(EVENTS) == 81
    assert sum(len(event.parameters) for event in EVENTS.values()) == 370


@pytest.mark.parametrize("name", EVENTS)
def test_everything_has_words_and_names_that_do_not_collide(name: str) -> None:
    assert EVENTS[name].description
    assert all(parameter.label for parameter in EVENTS[name].parameters)
    names = [each for parameter in EVENTS[name].parameters for each in (parameter.name, *parameter.synonyms)]
    assert len(names) == len(set(names))


def test_every_password_is_secret_and_nothing_else() -> None:
    for each in EVENTS.values():
        for parameter in each.parameters:
            assert parameter.secret is parameter.name.endswith("password"), (each.name, parameter.name)


def test_an_event_of_a_limit_gives_it_under_the_printed_name_too() -> None:
    values = {"domain_name": "example.test", "maximum_traffic": 5}
    assert json.loads(EVENTS["domain_limit_traffic_reached"].encode(values, values)) == {
        "old_domain_name": "example.test", "new_domain_name": "example.test",
        "old_maximum_traffic": "5", "new_maximum_traffic": "5",
        "old_maximum_disk_space": "5", "new_maximum_disk_space": "5",
    }  # fmt: skip


def test_values_become_text() -> None:
    values = {"domain_name": "example.test", "mail_list_name": "news", "mail_list_enabled": True}
    text = EVENTS["maillist_update"].encode(values | {"mail_list_enabled": None}, values)
    assert json.loads(text)["old_mail_list_enabled"] == ""
    assert json.loads(text)["new_mail_list_enabled"] == "true"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("mailname_create", {}, {}, r"missing new parameter \['mailname'\]"),
        ("mailname_update", {"mailname": "a@b"}, {}, r"missing new parameter \['mailname'\]"),
        ("mailname_delete", {}, {}, r"missing old parameter \['mailname'\]"),
        ("mailname_create", {}, {"mailname": "a@b", "quota": 1}, r"unknown parameter \['quota'\]"),
        ("mailname_create", {"mailname": "a@b"}, {"mailname": "a@b"}, "has no old values"),
        ("mailname_delete", {"mailname": "a@b"}, {"mailname": "a@b"}, "has no new values"),
        ("mailname_update", {"mailname": "a@b"}, {"mailname": "a@b", "password": "Kx4!"}, "password is secret"),
    ],
)
def test_a_value_that_does_not_accord_is_refused(
    name: str, old: dict[str, object], new: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        event(name).encode(old, new)
    assert "Kx4!" not in str(refused.value)


def test_a_required_secret_may_be_left_out() -> None:
    values = {"login_name": "example.test", "domain_name": "example.test"}
    assert json.loads(event("dl_user_update").encode(values, values))["new_password"] == ""


def test_later_names_are_synonyms_and_a_misspelt_one_names_the_near_ones() -> None:
    assert event("client_guid_update") is EVENTS["client_guid"]
    assert event("domain_guid_update") is EVENTS["domain_guid"]
    with pytest.raises(NotFound, match=r"Did you mean .*mailname_create"):
        event("mailname_crate")
    with pytest.raises(NotFound, match="spelling"):
        event("$(reboot)")


def test_the_page_in_docs_is_the_generated_one() -> None:
    written = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    assert written == reference.page(), "run: python -m innkeeper.events.reference > docs/events.md"


def test_what_debian_does_not_have_is_false_on_each_side_of_the_event() -> None:
    names = ("fp_support", "fpssl_support", "fp_authoring", "coldfusion_support", "asp_support")
    values = json.loads(EVENTS["phys_hosting_create"].encode({}, {"domain_name": "example.test"}))
    assert [(values[f"old_{name}"], values[f"new_{name}"]) for name in names] == [("", "false")] * 5
    both = {"domain_name": "example.test", "webuser_name": "petr"}
    values = json.loads(EVENTS["webuser_update"].encode(both, both))
    assert (values["old_asp_support"], values["new_coldfusion_support"]) == ("false", "false")
