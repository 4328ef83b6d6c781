"""Mail of a site as a whole."""

from __future__ import annotations

import pytest
from django.db import connection

from innkeeper.core.errors import InvalidValue, NotAllowed, NotFound, WebmailMissing
from innkeeper.core.models import AuditEntry
from innkeeper.hosting.models import WebspacePermission
from innkeeper.mail.operations import (
    CreateAccounts,
    NewAccount,
    Preferences,
    create_accounts,
    set_preferences,
    set_service_enabled,
)
from innkeeper.mail.queries import SitePreferences, preferences

from .conftest import World


def stored(world: World) -> SitePreferences:
    (found,) = preferences(world.alice, [world.alice_site])
    assert isinstance(found, SitePreferences)
    return found


def apply(world: World, **wanted: object) -> type[Exception] | None:
    (outcome,) = set_preferences(world.alice, [world.alice_site], Preferences(**wanted))  # type: ignore[arg-type]
    return outcome.error and type(outcome.error)


def test_a_new_site_rejects_unknown_addresses(world: World) -> None:
    found = stored(world)
    assert (found.unknown_action, found.webmail, bool(found.enabled)) == ("reject", "none", True)


def test_each_form_for_unknown_addresses_is_stored_and_read_back(world: World) -> None:
    for action, value, expected in (
        ("bounce", "Gone\r\n for good", "Gone for good"),
        ("bounce", "", "This address no longer accepts mail."),
        ("forward", "All@bücher.example", "all@bücher.example"),
        ("reject", "", ""),
    ):
        assert apply(world, unknown_action=action, unknown_value=value) is None
        found = stored(world)
        assert (found.unknown_action, found.unknown_value) == (action, expected)


def test_what_is_not_mentioned_stays(world: World) -> None:
    apply(world, webmail="roundcube", sign_outgoing=True, greylisting=True)
    assert apply(world) is None
    apply(world, greylisting=False)
    found = stored(world)
    assert (found.webmail, bool(found.sign_outgoing), bool(found.greylisting)) == ("roundcube", True, False)


def test_values_that_break_a_rule_change_nothing(world: World) -> None:
    assert apply(world, greylisting=True, unknown_action="forward", unknown_value="nobody") is InvalidValue
    assert apply(world, greylisting=True, webmail="elm") is WebmailMissing
    assert apply(world, greylisting=True, webmail_certificate="mine") is NotFound
    assert apply(world, greylisting=True, unknown_action="bounce", unknown_value="x" * 501) is InvalidValue
    assert not stored(world).greylisting


def test_webmail_takes_the_words_of_both_dialects(world: World) -> None:
    for word, product in (("true", "roundcube"), ("0", "none"), ("Horde", "horde"), ("", "none")):
        assert apply(world, webmail=word) is None
        assert stored(world).webmail == product


def test_missing_and_foreign_sites_are_refused_in_their_places(world: World) -> None:
    ids = [999_999, world.bob_site, world.alice_site]
    outcomes = set_preferences(world.alice, ids, Preferences(greylisting=True))
    assert [outcome.value for outcome in outcomes] == ids
    assert [outcome.error and outcome.error.message for outcome in outcomes] == ["Site does not exist."] * 2 + [None]
    read = list(preferences(world.alice, ids))
    assert [isinstance(item, SitePreferences) for item in read] == [False, False, True]


def test_without_ids_all_sites_of_the_scope_are_meant(world: World) -> None:
    for actor, sites in (
        (world.admin, [world.alice_site, world.bob_site]),
        (world.rita, [world.alice_site]),
        (world.charlie, []),
    ):
        outcomes = set_preferences(actor, None, Preferences(greylisting=True))
        assert [(outcome.value, outcome.error) for outcome in outcomes] == [(site, None) for site in sites]
        found = [item.site_id for item in preferences(actor) if isinstance(item, SitePreferences)]
        assert found == sites


def test_a_service_that_is_off_takes_no_mail_and_keeps_its_accounts(world: World) -> None:
    create_accounts(world.alice, CreateAccounts(world.alice_site, (NewAccount("sales", mailbox_enabled=True),)))

    def takes_mail() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM svc_mail_recipient WHERE address = 'sales@alice.example'")
            return cursor.fetchone() is not None

    assert takes_mail()
    set_service_enabled(world.alice, world.alice_site, False)
    set_service_enabled(world.alice, world.alice_site, False)
    assert not takes_mail() and not stored(world).enabled
    set_service_enabled(world.alice, world.alice_site, True)
    assert takes_mail()
    assert list(AuditEntry.objects.filter(object_type="site").values_list("operation", flat=True)) == [
        "mail.disable", "mail.disable", "mail.enable",
    ]  # fmt: skip


def test_strangers_meet_a_missing_site_and_owners_need_the_permission(world: World) -> None:
    with pytest.raises(NotFound, match=r"^Site does not exist\.$"):
        set_service_enabled(world.bob, world.alice_site, False)
    WebspacePermission.objects.create(webspace_id=world.alice_site, name="manage_mail_settings", value=False)
    with pytest.raises(NotAllowed):
        set_service_enabled(world.alice, world.alice_site, False)
    assert apply(world, greylisting=True) is NotAllowed
