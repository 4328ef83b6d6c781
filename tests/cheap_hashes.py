"""Passwords are hashed as the product does, at the least cost; `test_passwords` knows what the product's cost."""

from __future__ import annotations

from nacl.pwhash import argon2id

COSTS = {"BCRYPT_COST": 4, "LOGIN_OPERATIONS": argon2id.OPSLIMIT_MIN, "LOGIN_MEMORY": argon2id.MEMLIMIT_MIN}
"""Those of `innkeeper.core.passwords`."""


def program(module: str) -> str:
    """The code that runs a module as a program with them."""
    return (
        "import runpy\nfrom innkeeper.core import passwords\n"
        f"vars(passwords).update({COSTS!r})\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
