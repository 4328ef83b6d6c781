"""The command of a handler is cut into words once, and values never leave their words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.core.errors import InvalidValue
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.command import Command, parse, placeholders

CLIENT = EVENTS["client_create"]
SEED = '"/usr/local/innkeeper scripts/test-handler.sh" <new_contact_name> <new_login_name>'


def test_the_documented_example() -> None:
    command = parse(SEED, CLIENT)
    assert command.path == "/usr/local/innkeeper scripts/test-handler.sh"
    assert command.render({"new_contact_name": "Ines Sommer", "new_login_name": "ines"}) == [
        "/usr/local/innkeeper scripts/test-handler.sh",
        "Ines Sommer",
        "ines",
    ]
    assert command.shown() == ["<new_contact_name>", "<new_login_name>"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/bin/a", ["/bin/a"]),
        ("  /bin/a\t<new_login_name>\n<new_phone>  ", ["/bin/a", "L", ""]),
        ("/bin/a --login=<new_login_name>,<new_login_name>;", ["/bin/a", "--login=L,L;"]),
        ("/bin/a <NEW_Login_Name>", ["/bin/a", "L"]),
        ("/bin/a '<new_login_name>' \"<new_login_name> x\"", ["/bin/a", "L", "L x"]),
        (r"/bin/a\ b c\"d", ["/bin/a b", 'c"d']),
        (r'"/bin/a \"b\" \c"', ['/bin/a "b" \\c']),
        ("/bin/a '' \"\" <old_login_name>", ["/bin/a", "", "", ""]),
        ("/bin/a '|' '2>&1' \"a < b\" x|y a&b", ["/bin/a", "|", "2>&1", "a < b", "x|y", "a&b"]),
        ("/bin/a -rf $(reboot) `id` $HOME *", ["/bin/a", "-rf", "$(reboot)", "`id`", "$HOME", "*"]),
        ("/opt/ä/ö é", ["/opt/ä/ö", "é"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert parse(text, CLIENT).render({"new_login_name": "L", "new_phone": "", "old_login_name": ""}) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (" \n ", "it is empty"),
        ("''", "'' is not a full path"),
        ("test.sh <new_login_name>", "'test.sh' is not a full path"),
        (r'"c:\scripts\test.bat" <new_login_name>', "is not a full path"),
        ("<new_login_name>", "begins with a placeholder"),
        ('"/opt/my scripts/a.sh <new_login_name>', "a quote is open"),
        ("/bin/a 'b", "a quote is open"),
        ("/bin/a b\\", "a quote is open"),
        ("/bin/a <new_login_nam>", "Did you mean <new_login_name>"),
        ("/bin/a <new_mailname>", "is no parameter of client_create"),
        ("/bin/a <new_password>", "is a password.*variable NEW_PASSWORD"),
        ("/bin/a '<OLD_PASSWORD>'", "is a password"),
        ("/bin/a > /tmp/out", "for a shell"),
        ("/bin/a 2>&1", "for a shell"),
        ("/bin/a | /bin/b", "for a shell"),
        ("/bin/a && /bin/b", "for a shell"),
        ("/bin/a < /etc/passwd", "for a shell"),
        ("/bin/a x<y", "neither a placeholder"),
        ("/bin/a <new login name>", "neither a placeholder"),
        ("/bin/a <new_login_name", "neither a placeholder"),
        ("/bin/a\0b", "the character"),
        ("/bin/a \x1b[31m", "the character"),
        ("/bin/a \udcff", "the character"),
        ("/bin/" + "a" * 5_000, "at most 4096"),
    ],
)
def test_what_cannot_run_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=f"^command: .*{message}") as refused:
        parse(text, CLIENT)
    assert refused.value.field == "command"


@pytest.mark.parametrize("name", EVENTS)
def test_every_parameter_of_every_event_can_be_passed_and_no_password(name: str) -> None:
    event = EVENTS[name]
    known = placeholders(event)
    command = parse("/bin/a " + " ".join(f"<{each}>" for each in known), event)
    assert command.render({each: each.upper() for each in known})[1:] == [each.upper() for each in known]
    assert not [each for each in known if each.endswith("password")]


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_value_stays_in_its_argument(name: str, login: str) -> None:
    words = parse("/bin/a <new_contact_name> -- x<new_login_name>", CLIENT).render(
        {"new_contact_name": name, "new_login_name": login}
    )
    assert words == ["/bin/a", name.replace("\0", ""), "--", "x" + login.replace("\0", "")]


@given(st.text(st.sampled_from("/ab \"'\\<>|&;\0\n"), max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        command = parse("/" + text, CLIENT)
    except InvalidValue as refused:
        assert re.match("command: ", refused.message)
    else:
        assert isinstance(command, Command)
        assert command.render({})[0].startswith("/")
