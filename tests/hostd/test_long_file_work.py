"""Copies, archives and unpacking by a real hostd socket and a real system user, whatever an archive holds."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from innkeeper.hostd import become, disk
from innkeeper.hostd import files as hostd_files
from innkeeper.hostd.file_client import FileRefusedError, Files
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.hostd.selection import Bounds
from tests.hosted import Hosted, hosting_machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")
DOMAIN = "example.test"


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine(changes_hostd=True) as machine:
        yield machine


@pytest.fixture
def top(machine: Hosted) -> Path:
    return machine.tree(DOMAIN) / "httpdocs"


@pytest.fixture
def files(machine: Hosted, top: Path) -> Files:
    return Files(machine.client, HostingOf(17, DOMAIN))


@pytest.fixture
def put(machine: Hosted, top: Path) -> Callable[..., Path]:
    def put(path: str, data: bytes = b"") -> Path:
        found = top / path
        for folder in reversed(found.relative_to(top).parents):
            if not (top / folder).exists():
                (top / folder).mkdir()
                machine.own(top / folder)
        found.write_bytes(data)
        machine.own(found)
        return found

    return put


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(FileRefusedError) as refused:
        call(*args, **kwargs)
    return refused.value.code


def there(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def unpack(files: Files, name: str) -> Any:
    return files.work("files_unpack", path=("httpdocs", name), name="new")


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


def tarred(*members: tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return made.getvalue()


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 1, mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, link, mode, 1_600_000_000
    info.size = size if kind == tarfile.REGTYPE else 0
    return info


# ---- unpacking


def test_what_was_packed_is_unpacked(files: Files, top: Path, put: Callable[..., Path]) -> None:
    put("blog/post.html", b"text")
    put("blog/run.cgi", b"#!").chmod(0o755)
    (top / "blog/empty").mkdir()
    for kind in ("zip", "tar.gz"):
        name = f"a.{kind}"
        files.work("files_archive", path=("httpdocs",), names=["blog"], name=name, kind=kind)
        done = files.work("files_unpack", path=("httpdocs", name), name=f"new-{kind}")
        assert (done["left_out"], done["bytes"]) == (0, 6)
        new = top / f"new-{kind}"
        assert (new / "blog/post.html").read_bytes() == b"text" and (new / "blog/empty").is_dir()
        assert (new / "blog/run.cgi").stat().st_mode & 0o777 == 0o755
        assert (new / "blog/post.html").stat().st_mode & 0o777 == 0o644
        assert (new / "blog/post.html").stat().st_uid == top.stat().st_uid


def test_a_hostile_zip_gives_what_has_a_place_and_nothing_else(
    files: Files, top: Path, put: Callable[..., Path]
) -> None:
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    old = zipfile.ZipInfo("dir\\in.txt")
    old.create_system = 0
    put(
        "bad.zip",
        zipped(
            ("good", b"1"), ("../out", b"2"), ("a/../../out", b"2"), ("/etc/cron.d/x", b"3"), (link, b"/etc"),
            ("link/passwd", b"4"), ("good/below", b"5"), ("x" * 300, b"6"), (".upload-" + "0" * 32, b"7"),
            (old, b"8"), ("./dot/./file", b"9"),
        ),
    )  # fmt: skip
    done = unpack(files, "bad.zip")
    assert there(top / "new") == ["dir", "dir/in.txt", "dot", "dot/file", "good", "link", "link/passwd"]
    assert done["left_out"] == 7 and done["examples"][0] == "../out"
    assert there(top)[0] == "bad.zip" and not (top.parent / "out").exists()


def test_a_hostile_tar_gives_what_has_a_place_and_nothing_else(
    files: Files, top: Path, put: Callable[..., Path]
) -> None:
    put(
        "bad.tgz",
        tarred(
            member("ok", mode=0o6777), member("../out"), member("/abs"), member("escape", tarfile.SYMTYPE, "/etc"),
            member("escape/passwd"), member("hard", tarfile.LNKTYPE, "../conf/key"), member("pipe", tarfile.FIFOTYPE),
            member("disk", tarfile.BLKTYPE), member("tty", tarfile.CHRTYPE), member("ok", size=9),
            member(os.fsdecode(b"latin-\xe9")), member("."),
        ),
    )  # fmt: skip
    done = unpack(files, "bad.tgz")
    assert there(top / "new") == ["escape", "escape/passwd", os.fsdecode(b"latin-\xe9"), "ok"]
    assert done["left_out"] == 8
    assert (top / "new/ok").stat().st_mode & 0o7777 == 0o755 and (top / "new/ok").stat().st_size == 1
    assert int((top / "new/ok").stat().st_mtime) == 1_600_000_000


def test_names_of_old_zips_are_read_as_they_were_meant(files: Files, top: Path, put: Callable[..., Path]) -> None:
    data = zipped(("Gr\u00fc\u00dfe", b"1"), ("caf1", b"2"), ("caf2", b"3"))
    data = data.replace(b"caf1", b"ca\x82\x31").replace(b"caf2", "c\u00e92".encode())
    put("old.zip", data)
    unpack(files, "old.zip")
    assert there(top / "new") == sorted(["Gr\u00fc\u00dfe", "ca\u00e91", "c\u00e92"])


@pytest.mark.parametrize(
    ("bounds", "limit"), [(Bounds(bytes=1 << 20, objects=100), "bytes"), (Bounds(bytes=1 << 30, objects=2), "objects")]
)
def test_a_bomb_is_given_up_and_nothing_of_it_stays(
    bounds: Bounds, limit: str, files: Files, top: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"deep/er/{number}", b"\0" * (1 << 20))
    put("bomb.zip", made.getvalue())
    monkeypatch.setattr(hostd_files, "BOUNDS", bounds)
    with pytest.raises(FileRefusedError) as refused:
        unpack(files, "bomb.zip")
    assert (refused.value.code, refused.value.limit) == ("too-large", limit)
    assert there(top) == ["bomb.zip"]


def test_what_cannot_be_unpacked_says_why(files: Files, top: Path, put: Callable[..., Path]) -> None:
    good = zipped(("a", b"x" * 5_000))
    locked = bytearray(good)
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.find(sign) + at] |= 1
    flipped = good.replace(b"x" * 100, b"x" * 99 + b"y", 1)
    tar = tarred(member("a", size=100_000))
    two = gzip.decompress(tarred(member("a"), member("b")))
    damaged = two[:1_024] + b"?" * 512 + two[1_536:]
    cases = {
        "text": (b"hello", "no-archive"), "empty": (b"", "no-archive"), "cut.zip": (good[:200], "bad-archive"),
        "locked.zip": (bytes(locked), "encrypted"), "flipped.zip": (flipped, "bad-archive"),
        "cut.tgz": (tar[: len(tar) // 2], "bad-archive"), "zero.tgz": (b"\x1f\x8b" + b"\0" * 100, "bad-archive"),
        "head.tar": (damaged, "bad-archive"), "head.tgz": (gzip.compress(damaged), "bad-archive"),
        "cut-head.tar": (two[:1_100], "bad-archive"),
    }  # fmt: skip
    for name, (data, code) in cases.items():
        put(name, data)
        assert refusal(unpack, files, name) == code, name
    os.mkfifo(top / "pipe", 0o666)
    (top / "pipe").chmod(0o666)
    assert refusal(unpack, files, "pipe") == "no-file"
    (top / "link").symlink_to("text")
    assert refusal(unpack, files, "link") == "link"
    put("new")
    put("good.zip", good)
    assert refusal(unpack, files, "good.zip") == "exists"
    assert not [name for name in there(top) if name.startswith(".upload-")]


def test_a_full_disk_leaves_nothing(
    files: Files, top: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.zip", zipped(("a", b"x")))
    monkeypatch.setattr(disk, "KEPT_FREE", 1 << 60)
    assert refusal(unpack, files, "a.zip") == "full"
    copying = {"path": ("httpdocs",), "names": ["a.zip"], "target": ("private",)}
    assert refusal(files.work, "files_copy_all", **copying) == "full"
    assert there(top) == ["a.zip"] and there(top.parent / "private") == []


def test_a_disk_that_gets_full_on_the_way_leaves_nothing(
    files: Files, machine: Hosted, top: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "KEPT_FREE", 0)
    put("a.zip", zipped(("small", b"x"), ("large", b"x" * (2 << 20))))
    (top / "small").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", top / "small"], check=False).returncode:
        pytest.skip("may not mount anything here")
    try:
        machine.own(top / "small")
        copying = {"path": ("httpdocs",), "names": ["a.zip"], "target": ("httpdocs", "small")}
        assert refusal(files.work, "files_copy_all", **copying) == "full"
        token = files.begin_upload(("httpdocs", "small"))
        assert refusal(files.write_upload, ("httpdocs", "small"), token, 0, b"x" * (2 << 20)) == "full"
        files.drop_upload(("httpdocs", "small"), token)
        assert there(top / "small") == []
        assert files.move_all(("httpdocs",), ["a.zip"], ("httpdocs", "small")) == {"a.zip": "elsewhere"}
    finally:
        subprocess.run(["umount", top / "small"], check=True)


# ---- copying and moving


def test_copies_have_everything_but_links(files: Files, top: Path, put: Callable[..., Path]) -> None:
    put("blog/a/post", b"text").chmod(0o640)
    put("page.html", b"<p>")
    (top / "blog/out").symlink_to("/etc")
    done = files.work("files_copy_all", path=("httpdocs",), names=["blog", "page.html"], target=("private",))
    assert done == {"names": ["blog", "page.html"], "objects": 4, "bytes": 7, "left_out": 1, "examples": ["blog/out"]}
    assert there(top.parent / "private") == ["blog", "blog/a", "blog/a/post", "page.html"]
    again = {"path": ("httpdocs",), "names": ["page.html", "blog"], "target": ("private",)}
    assert refusal(files.work, "files_copy_all", **again) == "exists"
    beside = {"path": ("httpdocs",), "names": ["page.html", "blog"], "target": ("httpdocs",)}
    assert files.work("files_copy_all", **beside)["names"] == ["page (2).html", "blog (2)"]
    assert files.work("files_copy_all", **beside)["names"] == ["page (3).html", "blog (3)"]
    assert (top / "blog (2)/a/post").read_bytes() == b"text"


def test_a_folder_goes_neither_into_itself_nor_where_it_may_not(
    files: Files, top: Path, put: Callable[..., Path]
) -> None:
    put("blog/in/post")
    for target in (("httpdocs", "blog"), ("httpdocs", "blog", "in")):
        into = {"path": ("httpdocs",), "names": ["blog"], "target": target}
        assert refusal(files.work, "files_copy_all", **into) == "name"
        assert files.move_all(("httpdocs",), ["blog"], target) == {"blog": "name"}
    assert files.move_all((), [".trash"], ("httpdocs",)) == {".trash": "denied"}
    assert refusal(files.work, "files_copy_all", path=(), names=[".trash"], target=("private",)) == "denied"
    assert refusal(files.work, "files_copy_all", path=("httpdocs",), names=["blog"], target=("conf",)) == "denied"
    (top / "out").symlink_to("/tmp")
    assert refusal(files.move_all, ("httpdocs",), ["blog"], ("httpdocs", "out")) == "missing"


def test_several_are_moved_and_each_is_told(files: Files, top: Path, put: Callable[..., Path]) -> None:
    for name in ("a", "b", "into/b"):
        put(name, name.encode())
    assert files.move_all(("httpdocs",), ["a", "b", "gone"], ("httpdocs", "into")) == {
        "a": "",
        "b": "exists",
        "gone": "missing",
    }
    assert there(top) == ["b", "into", "into/a", "into/b"]


def test_a_selection_comes_down_as_a_file_without_a_name(
    files: Files, top: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("blog/post", b"text")
    size, file = files.download_archive(("httpdocs",), ["blog"], "zip")
    with file:
        data = file.read()
    assert len(data) == size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["blog/", "blog/post"]
    assert there(top.parent / ".trash") == []
    monkeypatch.setattr(hostd_files, "DOWNLOAD_BOUNDS", Bounds(bytes=3, objects=10))
    assert refusal(files.download_archive, ("httpdocs",), ["blog"], "zip") == "too-large"


# ---- how far it has come


class EnoughError(Exception):
    pass


def test_long_work_tells_how_far_it_is_and_ends_when_nobody_listens(
    files: Files, top: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(f"many/{number}", b"x" * 10)
    monkeypatch.setattr(become, "TOLD_EVERY_S", 0)
    told: list[dict[str, int]] = []
    packing: dict[str, Any] = {"path": ("httpdocs",), "names": ["many"], "name": "a.zip", "kind": "zip"}
    files.work("files_archive", told.append, **packing)
    assert {"seen": 21} in told
    assert told[-1] == {"objects": 21, "of_objects": 21, "bytes": 200, "of_bytes": 200, "at": 0, "end": 0}

    def listen(come: dict[str, int]) -> None:
        raise EnoughError

    real = hostd_files.pack

    def slow(*args: Any) -> Any:
        tell = args[-1]

        def wait(come: dict[str, int]) -> None:
            time.sleep(0.02)
            tell(come)

        return real(*args[:-1], wait)

    monkeypatch.setattr(hostd_files, "pack", slow)
    for _ in range(3):  # what was given up leaves room for others
        with pytest.raises(EnoughError):
            files.work("files_archive", listen, **packing | {"name": "b.zip"})
    until = time.monotonic() + 20
    while any(name.startswith(".upload-") for name in there(top)) and time.monotonic() < until:
        time.sleep(0.05)
    assert sorted(path.name for path in top.iterdir()) == ["a.zip", "many"]
    assert files.look(("httpdocs", "a.zip")).size > 0
