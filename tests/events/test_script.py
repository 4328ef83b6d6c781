"""A script that reads other positions than its command passes is warned of when the handler is saved."""

from __future__ import annotations

import pytest

from innkeeper.events.script import warnings

NAME, LOGIN = "<new_contact_name>", "<new_login_name>"
DOCUMENTED = """#!/bin/sh
{
echo "--------------"
# information on the event date and time
date
# information on the created client account
echo "client created"
# client's name
echo "name: $1"
# client's login
echo "login: $2"
echo "--------------"
} >> /tmp/event_handler.log
"""


def test_the_documented_script_fits_its_command() -> None:
    assert warnings(DOCUMENTED, [NAME, LOGIN]) == []


def test_a_position_that_is_not_passed_and_one_that_is_left_out() -> None:
    assert warnings(DOCUMENTED, [NAME]) == [
        "The script uses $2, and the command passes one. Add what is missing to the command."
    ]
    assert warnings(DOCUMENTED, []) == [
        "The script uses $1, and the command passes none. Add what is missing to the command.",
        "The script uses $2, and the command passes none. Add what is missing to the command.",
    ]
    assert warnings(DOCUMENTED, [NAME, LOGIN, "--phone=<new_phone>"]) == [
        "The command passes --phone=<new_phone> as $3, which the script leaves out."
    ]


def test_positions_of_windows_are_read_and_said_to_be_of_windows() -> None:
    script = DOCUMENTED.replace("$1", "%1").replace("$2", "%2")
    assert warnings(script, [NAME, LOGIN]) == [
        "The script holds %1 %2, which a script on Windows would be given as values. Write $1 $2 here."
    ]
    assert "The script uses $2" in warnings(script, [NAME])[1]


@pytest.mark.parametrize(
    ("script", "passed"),
    [
        ("#!/bin/sh\necho \"$1\"; awk '{print $7}' /etc/passwd\n", 1),
        ("#!/bin/bash\nlog() {\n  echo \"$3\"\n}\nlog a b \"$1\"\n", 1),
        ("#!/bin/sh\nlog() { echo \"$2\"; }\necho $1\n", 1),
        ("#!/bin/sh\n# usage: $1 $2 $3\necho \"it's ${1:-nobody}\" # and $9\n", 1),
        ("#!/bin/sh\nexec logger \"$@\"\n", 4),
        ("#!/bin/sh\nwhile [ $# -gt 0 ]; do echo \"$1\"; shift; done\n", 3),
        ("#!/bin/sh\nprintf '%5s %2$s' x; printf \"%1s%%1 ${1%2}\"\n", 1),
        ("#!/bin/sh\necho \"$NEW_LOGIN_NAME\" >> log\n", 0),
        ("#!/bin/sh\necho \"$NEW_LOGIN_NAME\" >> log\n", 2),
        ("#!/bin/sh\necho \\$4 '$5' $1\n", 1),
        ("echo ${10} $1 $2 $3 $4 $5 $6 $7 $8 $9\n", 10),
        ("#!/usr/bin/env python3\nimport sys\nprint(sys.argv[0], sys.argv[1])\n", 1),
        ("#!/usr/bin/python3\nfrom sys import argv\n_, name, login = argv\n", 2),
        ("#!/usr/bin/perl\nprint $ARGV[0]; # $ARGV[5]\n", 1),
        ("#!/usr/bin/php\n<?php echo $argv[1], $argv[2];\n", 2),
        ("#!/usr/bin/awk -f\n{print $9}\n", 0),
        ("", 3),
        ("#!/bin/sh\necho 'unclosed $1", 0),
    ],
)  # fmt: skip
def test_nothing_is_said_where_nothing_is_wrong(script: str, passed: int) -> None:
    assert warnings(script, [NAME] * passed) == []


@pytest.mark.parametrize(
    ("script", "position"),
    [
        ("#!/bin/sh\necho ${12}\n", "$12"),
        ("#!/usr/bin/python3\nimport sys\nprint(sys.argv[2])\n", "sys.argv[2]"),
        ("#!/usr/bin/perl\nprint $ARGV[1];\n", "$ARGV[1]"),
        ("#!/usr/bin/php\n<?php echo $argv[2];\n", "$argv[2]"),
        ("#!/bin/sh\necho ${2:-none}\n", "$2"),
    ],
)
def test_each_language_says_positions_its_own_way(script: str, position: str) -> None:
    assert any(f"uses {position}," in warning for warning in warnings(script, [NAME]))
