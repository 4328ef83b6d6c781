from __future__ import annotations

import pytest

from innkeeper.core import passwords
from innkeeper.core.errors import InvalidValue

# Those of the product: tests are collected before any of them runs with cheap ones.
COSTS = {name: getattr(passwords, name) for name in ("BCRYPT_COST", "LOGIN_OPERATIONS", "LOGIN_MEMORY")}


def test_who_guesses_pays_for_each_try(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cost in COSTS.items():
        monkeypatch.setattr(passwords, name, cost)
    assert passwords.hash_mail("Kx4!paper-Moon").startswith("{BLF-CRYPT}$2y$10$")
    assert passwords.hash_login("Kx4!paper-Moon").startswith("$argon2id$v=19$m=65536,t=2,p=1$")


def test_mail_hash_verifies_and_has_a_scheme() -> None:
    stored = passwords.hash_mail("Kx4!paper-Moon")
    assert stored.startswith("{BLF-CRYPT}$2y$")
    assert passwords.verify_mail("Kx4!paper-Moon", stored)
    assert not passwords.verify_mail("Kx4!paper-Moom", stored)


def test_a_long_password_is_never_truncated() -> None:
    long = "a1" * 60
    stored = passwords.hash_mail(long)
    assert stored.startswith("{SHA512-CRYPT}$6$")
    assert passwords.verify_mail(long, stored)
    assert not passwords.verify_mail(long[:100], stored)


def test_hashes_are_salted() -> None:
    assert passwords.hash_mail("same-Word-1") != passwords.hash_mail("same-Word-1")


@pytest.mark.parametrize(
    "value",
    [
        "$2y$10$" + "a" * 53,
        "$6$salt$" + "b" * 86,
        "{SSHA512.HEX}" + "0f" * 68,
        "{SCRAM-SHA-256}4096,c2FsdA==,c3RvcmVk,c2VydmVy",
        "abJnggxhB/yWI",
    ],
)
def test_known_hashes_are_taken(value: str) -> None:
    assert passwords.import_hash(value).endswith(value)


@pytest.mark.parametrize(
    "value", ["", "plain words", "{PLAIN}secret", "{NOSUCH}abc", "$9$x$y", "$2y$10$short", "{SHA}a\nb"]
)
def test_other_hashes_are_refused(value: str) -> None:
    with pytest.raises(InvalidValue):
        passwords.import_hash(value)


@pytest.mark.parametrize("password", ["abcd", "x" * 256, "has\nline", "my-ALICE-1"])
def test_policy_refuses(password: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        passwords.check(password, "alice")
    assert password not in refused.value.message


def test_policy_takes_quotes_spaces_and_ampersands() -> None:
    passwords.check("a 'b' \"c\" & d", "alice")


def test_strength_has_five_levels() -> None:
    samples = ["abcde", "abcdef", "abcdef12", "Abcdef1234", "Abcdef1234!abcdef"]
    assert [passwords.strength(s) for s in samples] == list(passwords.Strength)
