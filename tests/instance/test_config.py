"""The description of an instance survives its file, and refuses what daemons could not carry."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from innkeeper.instance.config import ConfigError, Instance, Ports, parse_database_url, write_file


def new(state: Path, **changes: object) -> Instance:
    return Instance.new(state, environment=Path("/opt/innkeeper/env-x"), **changes)  # type: ignore[arg-type]


def save(instance: Instance) -> None:
    path = instance.state / "instance.json"
    path.write_text(json.dumps(instance.to_dict()))


@pytest.mark.parametrize("url", [None, "postgresql://anna:s%3Acret@127.0.0.1:5433/inn?sslmode=disable"])
def test_what_is_written_is_read_back(tmp_path: Path, url: str | None) -> None:
    instance = new(tmp_path, port_base=100, database_url=url)
    save(instance)
    assert Instance.load(tmp_path) == instance
    assert instance.ports == Ports(8543, 2625, 2687, 2243, 2210, 2519)


def test_the_database_password_stands_in_its_own_file(tmp_path: Path) -> None:
    instance = new(tmp_path, database_url="postgresql://anna:s%3Acret@127.0.0.1:5433/inn")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "database-password").write_text("s:cret\n")
    assert "cret" not in json.dumps(instance.to_dict())
    assert "cret" not in instance.database.shown
    assert instance.database.url == "postgresql://anna:s%3Acret@127.0.0.1:5433/inn"


def test_a_socket_folder_is_a_host(tmp_path: Path) -> None:
    server = parse_database_url("postgresql://anna@/inn?host=/run/pg&port=6000")
    assert (server.host, server.port, server.name) == ("/run/pg", 6000, "inn")
    instance = new(tmp_path, database_url="postgresql://anna@/inn?host=/run/pg&port=6000")
    assert instance.database.shown == "postgresql://anna@/inn?host=%2Frun%2Fpg&port=6000"


def test_folders_share_no_user(tmp_path: Path) -> None:
    assert new(tmp_path / "a").users.panel != new(tmp_path / "b").users.panel
    assert new(tmp_path / "a").users == new(tmp_path / "a").users


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("mysql://x@y/z", "form postgresql://"),
        ("postgresql://127.0.0.1/inn", "user is missing"),
        ("postgresql://a@h:port/inn", "port is not a number"),
        ("postgresql://a@h/in%20n", "name holds a character"),
    ],
)
def test_a_bad_url_is_named(url: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        parse_database_url(url)


def test_bad_ports_and_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="port-base 70000"):
        new(tmp_path, port_base=70000)
    with pytest.raises(ConfigError, match="longer than"):
        new(tmp_path / "/".join(["x" * 200] * 2))
    with pytest.raises(ConfigError, match="holds a character"):
        new(Path("/tmp/a b"))


def test_a_missing_damaged_or_newer_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no instance"):
        Instance.load(tmp_path)
    (tmp_path / "instance.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        Instance.load(tmp_path)
    (tmp_path / "instance.json").write_text('{"format": 1}')
    with pytest.raises(ConfigError, match="damaged"):
        Instance.load(tmp_path)
    (tmp_path / "instance.json").write_text('{"format": 99}')
    with pytest.raises(ConfigError, match="newer version"):
        Instance.load(tmp_path)


def test_a_file_is_written_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    own = {"uid": os.getuid(), "gid": os.getgid()}
    assert write_file(path, "a", mode=0o640, **own)
    assert not write_file(path, "a", mode=0o640, **own)
    assert write_file(path, "a", mode=0o600, **own)
    assert path.stat().st_mode & 0o777 == 0o600
