"""The files of an account by a real hostd socket and a real system user: what it may, what it never may."""

from __future__ import annotations

import inspect
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from innkeeper.hostd import files as hostd_files
from innkeeper.hostd import removal
from innkeeper.hostd.become import ChildFailedError, Identity, TimeUpError, run_as
from innkeeper.hostd.client import Client, HostdError
from innkeeper.hostd.file_actions import CHILDREN, OF_ONE
from innkeeper.hostd.file_client import FileRefusedError, Files
from innkeeper.hostd.file_requests import FILE_REQUESTS, HostingOf, SetRights, TellRights, UndoRights
from innkeeper.hostd.files import LONG_WORK, WORK, refusable
from innkeeper.hostd.requests import BadRequestError, parse
from innkeeper.hostd.selection import Bounds
from tests.file_hostd import in_its_own, in_this_process

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes system users: run as root")
DOMAIN = "example.test"


@pytest.fixture(scope="module")
def instance() -> Iterator[Any]:
    """An instance of two webspaces, each with a user; the second belongs to a stranger."""
    folder = Path(tempfile.mkdtemp(prefix="ik-"))
    folder.chmod(0o700)  # below a folder that is closed to the accounts, as in a clone of root's
    vhosts = folder / "vhosts"
    vhosts.mkdir(mode=0o711)
    name = f"ikt{secrets.token_hex(3)}"
    subprocess.run(["groupadd", f"{name}-more"], check=True)
    for number in (17, 18):
        subprocess.run(
            [
                "useradd",
                "-M",
                "-d",
                "/nonexistent",
                "-s",
                "/usr/sbin/nologin",
                "-G",
                f"{name}-more",
                f"{name}-s{number}",
            ],
            check=True,
        )
    yield SimpleNamespace(name=name, vhosts=vhosts)
    for number in (17, 18):
        subprocess.run(["userdel", f"{name}-s{number}"], check=True)
    subprocess.run(["groupdel", f"{name}-more"], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def root(instance: Any) -> Iterator[Path]:
    """Alice's tree as it is laid out: the root and `conf` are root's, `httpdocs` and `.trash` are hers."""
    alice = pwd.getpwnam(f"{instance.name}-s17")
    root = instance.vhosts / DOMAIN
    root.mkdir()
    root.chmod(0o755)
    for name, mode in (("httpdocs", 0o755), (".trash", 0o700)):
        (root / name).mkdir(mode=mode)
        os.chown(root / name, alice.pw_uid, alice.pw_gid)
    (root / "conf").mkdir(mode=0o700)
    (root / "conf" / "key").write_text("secret")
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def hostd(instance: Any) -> Iterator[Client]:
    with in_its_own(instance.vhosts.parent, instance.name) as client:
        yield client


@pytest.fixture
def client(hostd: Client, instance: Any, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Of hostd, which is here for tests that change what it does."""
    if "monkeypatch" in inspect.signature(request.function).parameters:
        with in_this_process(instance.vhosts.parent, instance.name) as client:
            yield client
    else:
        yield hostd


@pytest.fixture
def files(client: Client, root: Path) -> Files:
    return Files(client, HostingOf(17, DOMAIN))


def upload(files: Files, folder: tuple[str, ...], name: str, data: bytes, *, replace: bool = False) -> None:
    token = files.begin_upload(folder)
    files.write_upload(folder, token, 0, data)
    files.end_upload(folder, token, name, len(data), replace=replace)


def pack(files: Files, names: list[str], name: str, kind: str) -> Any:
    return files.work("files_archive", path=("httpdocs",), names=names, name=name, kind=kind)


def names(files: Files, *path: str) -> list[str]:
    return [entry.name for entry in files.page(path, count=500).entries]


def there(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "httpdocs").iterdir())


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(FileRefusedError) as refused:
        call(*args, **kwargs)
    return refused.value.code


def test_the_child_is_the_account_and_nothing_more(instance: Any) -> None:
    def look(_tell: Any) -> Any:
        status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
        back = "no"
        try:
            os.setresuid(0, 0, 0)
            back = "yes"
        except PermissionError:
            pass
        kept = sorted(int(fd.name) for fd in Path("/proc/self/fd").iterdir())
        return {"status": status, "groups": os.getgroups(), "back": back, "descriptors": len(kept)}, ()

    alice = f"{instance.name}-s17"
    before = os.umask(0o077)
    try:
        with Path("/dev/null").open():  # something that the child must not get
            told, _ = run_as(Identity.of(alice), look)
    finally:
        os.umask(before)
    assert told["status"]["Umask"] == "0022", "what hostd's own closes is open in what the account makes"
    entry = pwd.getpwnam(alice)
    assert told["status"]["Uid"].split() == [str(entry.pw_uid)] * 4
    assert told["status"]["Gid"].split() == [str(entry.pw_gid)] * 4
    assert sorted(told["groups"]) == sorted(os.getgrouplist(alice, entry.pw_gid))
    assert {told["status"][name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert told["status"]["NoNewPrivs"] == "1"
    assert told["back"] == "no"
    assert told["descriptors"] <= 5  # the three of every process, the answer, and the folder being listed


def test_what_fills_the_memory_is_refused(instance: Any) -> None:
    told, _ = run_as(Identity.of(f"{instance.name}-s17"), lambda _: refusable(lambda: (len(bytearray(1 << 30)), ())))
    assert told == {"refused": "too-large", "limit": "objects"}


def test_who_stops_his_children_keeps_nobody_waiting(
    files: Files, client: Client, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hostd_files.do

    def do(folder: int, request: Any, tell: Any) -> Any:
        if request.account.webspace == 17:  # as his own processes can, which are the same user
            os.kill(os.getpid(), signal.SIGSTOP)
        return real(folder, request, tell)

    monkeypatch.setattr(hostd_files, "do", do)
    said: list[str] = []

    def ask() -> None:
        try:
            files.look(("httpdocs",))
        except (FileRefusedError, HostdError) as error:
            said.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(CHILDREN + 1)]
    for thread in threads:
        thread.start()
    assert Files(client, HostingOf(18, DOMAIN)).look(("httpdocs",)).is_folder
    for thread in threads:
        thread.join()
    # None waited for the time that a request has: those that were stopped were ended at once.
    assert {text.removeprefix("ChildFailedError: ") for text in said} <= {"was stopped", "busy"}
    assert len(said) == CHILDREN + 1 and said.count("ChildFailedError: was stopped") >= OF_ONE
    monkeypatch.undo()
    assert files.look(("httpdocs",)).is_folder


def test_nobody_becomes_root() -> None:
    with pytest.raises(ValueError, match="root"):
        Identity.of("root")
    with pytest.raises(ValueError, match="root"):
        Identity(1000, 1000, (0,))


def test_a_child_that_takes_too_long_is_stopped_and_can_tidy_up(instance: Any) -> None:
    def slow(_tell: Any) -> Any:
        try:
            threading.Event().wait(60)
        except TimeUpError:
            os.kill(os.getpid(), signal.SIGALRM)  # hostd says so too, when nobody waits for it any more
            return "tidied", ()
        return "done", ()

    alice = Identity.of(f"{instance.name}-s17")
    assert run_as(alice, slow, seconds=0.05)[0] == "tidied"
    with pytest.raises(ChildFailedError):
        run_as(alice, lambda _: os._exit(3))


def test_files_come_and_go(files: Files, root: Path, instance: Any) -> None:
    upload(files, ("httpdocs",), "page.html", b"<p>Hello")
    files.make_folder(("httpdocs", "pictures"))
    page = files.page(("httpdocs",), count=10)
    assert [(entry.name, entry.kind, entry.size) for entry in page.entries][1] == ("page.html", "file", 8)
    assert [entry.name for entry in page.entries] == ["pictures", "page.html"]
    made = (root / "httpdocs" / "page.html").stat()
    assert (made.st_uid, made.st_mode & 0o777) == (pwd.getpwnam(f"{instance.name}-s17").pw_uid, 0o644)
    entry, file = files.download(("httpdocs", "page.html"))
    with file:
        assert (entry.size, file.read()) == (8, b"<p>Hello")
    files.move(("httpdocs", "page.html"), ("httpdocs", "pictures", "index.html"))
    assert names(files, "httpdocs", "pictures") == ["index.html"]
    assert refusal(files.move, ("httpdocs", "pictures"), ("httpdocs", "pictures", "in")) == "name"
    assert names(files) == ["conf", "httpdocs"]


def test_pages_orders_and_unfinished_uploads(files: Files, root: Path) -> None:
    for number in range(5):
        upload(files, ("httpdocs",), f"{number}.txt", b"x" * (5 - number))
    files.begin_upload(("httpdocs",))
    page = files.page(("httpdocs",), "size", start=1, count=2)
    assert ([entry.name for entry in page.entries], page.total, page.cut) == (["3.txt", "2.txt"], 5, False)
    page = files.page(("httpdocs",), "name", descending=True, count=2)
    assert [entry.name for entry in page.entries] == ["4.txt", "3.txt"]


def test_what_nobody_ended_for_a_day_is_shown_and_swept_away_by_the_next_upload(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpdocs = root / "httpdocs"
    old = f".upload-{files.begin_upload(('httpdocs',))}"
    os.utime(httpdocs / old, (0, 0))  # as a copy of an old file has it while the rest is copied
    assert names(files, "httpdocs") == []
    upload(files, ("httpdocs",), "a.txt", b"")
    assert (httpdocs / old).exists()
    half = httpdocs / f".upload-{'0' * 32}"
    half.mkdir()
    (half / "deep").mkdir()
    own = httpdocs / ".upload-mine"
    own.touch()
    (root / f".upload-{'1' * 32}").touch()  # root's: the account may not, and its upload goes on
    for path in (half, half / "deep", own):
        shutil.chown(path, httpdocs.owner(), httpdocs.group())
    monkeypatch.setattr(hostd_files, "UNFINISHED_S", 0.0)
    assert names(files, "httpdocs") == [half.name, old, own.name, "a.txt"]
    token = files.begin_upload(("httpdocs",))
    assert names(files, "httpdocs") == [f".upload-{token}", own.name, "a.txt"]
    assert {"/".join(each.path) for each in files.trashed(0)[0]} == {f"httpdocs/{half.name}", f"httpdocs/{old}"}
    assert refusal(files.begin_upload, ()) == "denied"
    assert (root / f".upload-{'1' * 32}").exists()


def test_names_that_are_no_text_are_told_and_reached(files: Files, root: Path) -> None:
    strange = [b"line\nbreak", b"latin-\xe9", b"back\\slash", b"-rf", b" ", "\u202egnp.exe".encode()]
    for name in strange:
        (root / "httpdocs" / os.fsdecode(name)).write_bytes(name)
    found = names(files, "httpdocs")
    assert sorted(map(os.fsencode, found)) == sorted(strange)
    for name in found:
        _, file = files.download(("httpdocs", name))
        with file:
            assert file.read() == os.fsencode(name)
    outcomes, _ = files.trash(("httpdocs",), found)
    assert set(outcomes.values()) == {""}
    back, paths = files.restore([item.key for item in files.trashed()[0]])
    assert set(back.values()) == {""}
    assert sorted(path[-1] for path in paths) == sorted(found)


def test_links_are_shown_and_never_followed(files: Files, root: Path) -> None:
    (root / "httpdocs" / "out").symlink_to("/etc")
    (root / "httpdocs" / "passwd").symlink_to("/etc/passwd")
    entries = files.page(("httpdocs",), count=10).entries
    assert [(entry.kind, entry.target) for entry in entries] == [("link", "/etc"), ("link", "/etc/passwd")]
    assert refusal(files.page, ("httpdocs", "out"), count=1) == "missing"
    assert refusal(files.download, ("httpdocs", "out", "passwd")) == "missing"
    assert refusal(files.download, ("httpdocs", "passwd")) == "link"
    assert refusal(files.begin_upload, ("httpdocs", "out")) == "missing"
    files.move(("httpdocs", "passwd"), ("httpdocs", "renamed"))
    assert str((root / "httpdocs" / "renamed").readlink()) == "/etc/passwd"


def test_what_is_closed_to_the_account_stays_closed(files: Files, client: Client, root: Path) -> None:
    assert refusal(files.page, ("conf",), count=1) == "denied"
    assert refusal(files.download, ("conf", "key")) == "denied"
    assert refusal(files.make_folder, ("new",)) == "denied"
    assert files.trash((), ["httpdocs", ".trash"])[0] == {"httpdocs": "denied", ".trash": "denied"}
    stranger = Files(client, HostingOf(18, DOMAIN))  # a panel that lies about who owns a folder gains nothing
    assert refusal(stranger.make_folder, ("httpdocs", "mine")) == "denied"
    for account in (HostingOf(99, DOMAIN), HostingOf(17, "nobody.test")):
        assert refusal(Files(client, account).look, ()) == "no-account"


def test_what_is_no_file_is_not_opened(files: Files, root: Path) -> None:
    os.mkfifo(root / "httpdocs" / "pipe", 0o666)
    (root / "httpdocs" / "pipe").chmod(0o666)
    assert refusal(files.download, ("httpdocs", "pipe")) == "no-file"
    assert refusal(files.download, ("httpdocs",)) == "no-file"


def test_an_upload_is_complete_or_not_there(files: Files, root: Path) -> None:
    token = files.begin_upload(("httpdocs",))
    assert files.write_upload(("httpdocs",), token, 0, b"abc") == 3
    assert refusal(files.write_upload, ("httpdocs",), token, 5, b"f") == "incomplete"
    assert files.write_upload(("httpdocs",), token, 0, b"abc") == 3  # a part sent twice
    assert refusal(files.end_upload, ("httpdocs",), token, "a", 6, replace=False) == "incomplete"
    assert names(files, "httpdocs") == []
    assert files.write_upload(("httpdocs",), token, 3, b"def") == 6
    assert files.end_upload(("httpdocs",), token, "a", 6, replace=False).size == 6
    dropped = files.begin_upload(("httpdocs",))
    files.drop_upload(("httpdocs",), dropped)
    assert refusal(files.write_upload, ("httpdocs",), dropped, 0, b"") == "missing"
    assert there(root) == ["a"]


def test_a_replaced_file_goes_to_the_trash_and_leaves_its_mode(files: Files, root: Path) -> None:
    upload(files, ("httpdocs",), "run.cgi", b"old")
    (root / "httpdocs" / "run.cgi").chmod(0o750)
    token = files.begin_upload(("httpdocs",))
    assert refusal(files.end_upload, ("httpdocs",), token, "run.cgi", 0, replace=False) == "exists"
    files.drop_upload(("httpdocs",), token)
    upload(files, ("httpdocs",), "run.cgi", b"new", replace=True)
    assert (root / "httpdocs" / "run.cgi").read_bytes() == b"new"
    assert (root / "httpdocs" / "run.cgi").stat().st_mode & 0o777 == 0o750
    (item,), total = files.trashed()
    assert (item.path, item.entry.size, total) == (("httpdocs", "run.cgi"), 3, 1)


def test_the_trash_gives_back_and_is_emptied_by_age(files: Files, root: Path) -> None:
    files.make_folder(("httpdocs", "blog"))
    upload(files, ("httpdocs", "blog"), "post", b"text")
    _, (key,) = files.trash(("httpdocs", "blog"), ["post"])
    files.trash(("httpdocs",), ["blog", "nothing"])
    assert files.trash(("httpdocs",), ["nothing"])[0] == {"nothing": "missing"}
    assert files.restore([key])[1] == [("httpdocs", "blog", "post")]  # its folder is made again
    assert (root / "httpdocs/blog/post").read_text() == "text"
    (blog,), _ = files.trashed()
    assert files.restore([blog.key])[0] == {blog.key: "exists"}
    assert files.empty_trash(3600) == 0
    closed = root / ".trash" / blog.key / "item" / "closed"
    closed.mkdir()
    (closed / "in").touch()
    os.chown(closed, *(closed.parent.stat().st_uid, closed.parent.stat().st_gid))
    closed.chmod(0)
    assert files.empty_trash(0) == 1
    assert files.trashed() == ([], 0)


def test_what_cannot_be_deleted_is_said_where_nothing_else_goes(files: Files, root: Path) -> None:
    (root / ".trash" / "1-0123456789ab" / "of-root").mkdir(parents=True)
    upload(files, ("httpdocs",), "a", b"")
    files.trash(("httpdocs",), ["a"])
    assert files.empty_trash(0) == 1, "one that stays keeps no other"
    assert refusal(files.empty_trash, 0) == "denied"


def test_trash_of_any_depth_is_deleted(files: Files, root: Path) -> None:
    """Deeper than Python's stack; it was built by going down, so no path names its bottom."""
    alice = root.joinpath("httpdocs").stat()
    top = root / ".trash" / "1-000000000000"
    top.mkdir()
    (top / "origin").write_text("httpdocs/deep")
    fd = os.open(top, os.O_RDONLY)
    for depth in range(1_020):
        name = "item" if not depth else "d"
        os.mkdir(name, dir_fd=fd)
        os.close(os.open(f"{name}/file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.chown(f"{name}/file", alice.st_uid, alice.st_gid, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        os.fchown(below, alice.st_uid, alice.st_gid)
        fd = below
    os.close(fd)
    os.chown(top, alice.st_uid, alice.st_gid)
    assert files.empty_trash(0) == 1
    assert list((root / ".trash").iterdir()) == []


def test_trash_with_more_names_than_are_read_at_once_is_deleted(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH", 3)
    files.make_folder(("httpdocs", "many"))
    for number in range(10):
        upload(files, ("httpdocs", "many"), str(number), b"")
    files.trash(("httpdocs",), ["many"])
    assert files.empty_trash(0) == 1
    assert list((root / ".trash").iterdir()) == []


def test_pages_of_the_longest_paths_and_links_fit_into_an_answer(files: Files, root: Path) -> None:
    alice = root.joinpath("httpdocs").stat()
    target = os.fsdecode(b"\xff" * 4_000)
    for number in range(200):
        (root / "httpdocs" / str(number)).symlink_to(target)
    page = files.page(("httpdocs",), count=500)
    assert len(page.entries) == 200 and all(len(entry.target) <= 200 for entry in page.entries)
    origin = b"/".join([b"\xff" * 255] * 90)
    for number in range(60):
        place = root / ".trash" / f"{number}-000000000000"
        place.mkdir()
        (place / "origin").write_bytes(origin)
        (place / "item").touch()
        os.chown(place, alice.st_uid, alice.st_gid)
        os.chown(place / "origin", alice.st_uid, alice.st_gid)
    told, total = files.trashed(10, count=50)
    assert (len(told), total, told[0].key) == (50, 60, "49-000000000000")
    assert all(item.path[0] == "…" and 2 <= len(item.path) < 6 for item in told)


def test_hundreds_of_the_longest_names_are_one_request(files: Files, root: Path) -> None:
    longest = [os.fsdecode(b"\xff" * 250 + b"%04d" % number) for number in range(400)]
    outcomes, _ = files.trash(("httpdocs",), longest)
    assert len(outcomes) == 400 and set(outcomes.values()) == {"missing"}


def test_who_is_kept_from_a_file_is_kept_from_what_replaces_it(files: Files, root: Path) -> None:
    upload(files, ("httpdocs",), "config.php", b"password")
    subprocess.run(["setfacl", "-d", "-m", "u:www-data:r", root / "httpdocs"], check=True)
    subprocess.run(["setfacl", "-m", "u:www-data:-", root / "httpdocs/config.php"], check=True)
    upload(files, ("httpdocs",), "config.php", b"another", replace=True)
    told = subprocess.run(["getfacl", "-cp", root / "httpdocs/config.php"], check=True, capture_output=True, text=True)
    assert "user:www-data:---" in told.stdout


def test_a_forged_origin_leads_nowhere(files: Files, root: Path) -> None:
    upload(files, ("httpdocs",), "a", b"")
    _, (key,) = files.trash(("httpdocs",), ["a"])
    for origin in ("../../a", "/a", "httpdocs//a", ".trash/a", "a\0b", ""):
        (root / ".trash" / key / "origin").write_text(origin)
        assert files.restore([key])[0] == {key: "missing"}
    (root / ".trash" / key / "origin").unlink()
    (root / ".trash" / key / "origin").symlink_to(root / "conf" / "key")
    assert files.restore([key])[0] == {key: "link"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_selection_is_packed(kind: str, files: Files, root: Path) -> None:
    files.make_folder(("httpdocs", "blog"))
    upload(files, ("httpdocs", "blog"), "post", b"text" * 1000)
    (root / "httpdocs/blog/out").symlink_to("/etc/passwd")
    done = pack(files, ["blog"], "blog.pack", kind)
    assert done == {"objects": 2, "bytes": 4000, "left_out": 1, "examples": ["blog/out"]}
    if kind == "zip":
        with zipfile.ZipFile(root / "httpdocs/blog.pack") as packed:
            assert packed.namelist() == ["blog/", "blog/post"]
            assert packed.read("blog/post") == b"text" * 1000
    else:
        with tarfile.open(root / "httpdocs/blog.pack") as packed_tar:
            assert packed_tar.getnames() == ["blog", "blog/post"]
    assert refusal(pack, files, ["blog"], "blog.pack", kind) == "exists"
    assert refusal(pack, files, ["gone"], "new.pack", kind) == "missing"
    assert there(root) == ["blog", "blog.pack"]


def test_more_than_is_packed_at_once_is_refused_before_a_byte(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(files, ("httpdocs",), "big", b"x" * 1000)
    monkeypatch.setattr(hostd_files, "BOUNDS", Bounds(bytes=999, objects=10))
    assert refusal(pack, files, ["big"], "a.zip", "zip") == "too-large"
    assert there(root) == ["big"]


ACCOUNT = {"webspace": 17, "domain": DOMAIN}


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "files_look", "path": ["a/b"]},
        {"op": "files_look", "path": [".."]},
        {"op": "files_look", "path": ["."]},
        {"op": "files_look", "path": [""]},
        {"op": "files_look", "path": ["a\0"]},
        {"op": "files_look", "path": ["\ud800"]},
        {"op": "files_look", "path": ["x" * 256]},
        {"op": "files_look", "path": ["x"] * 101},
        {"op": "files_look", "path": "httpdocs"},
        {"op": "files_look", "path": [".trash", "1-000000000000", "item"]},
        {"op": "files_look", "path": [], "account": {"webspace": 17, "domain": ".."}},
        {"op": "files_look", "path": [], "account": {"webspace": 17, "domain": "a.test/.."}},
        {"op": "files_look", "path": [], "account": {"webspace": "17", "domain": DOMAIN}},
        {"op": "files_look", "path": [], "account": {"webspace": True, "domain": DOMAIN}},
        {"op": "files_look", "path": [], "account": {"webspace": 0, "domain": DOMAIN}},
        {"op": "files_look", "path": [], "account": {"webspace": 17, "domain": DOMAIN, "root": "/"}},
        {"op": "files_download", "path": []},
        {"op": "files_trash", "path": [], "names": []},
        {"op": "files_trash", "path": [], "names": ["../x"]},
        {"op": "files_move", "path": ["a"], "target": [".upload-" + "0" * 32]},
        {"op": "files_upload_write", "path": [], "token": "../../x"},
        {"op": "files_trash_restore", "keys": [".."]},
        {"op": "files_trash_empty", "older_than": -1},
        {"op": "files_archive", "path": [], "names": ["a"], "name": "b", "kind": "rar"},
    ],
)
def test_hostile_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        parse(json.dumps({"account": ACCOUNT} | fields).encode())


def test_every_request_is_done_by_somebody() -> None:
    assert {request for request, _ in FILE_REQUESTS.values()} == {*WORK, *LONG_WORK, TellRights, SetRights, UndoRights}


SWAPPING = """
import os
while True:
    os.rename("d", "aside")
    os.symlink("../../outside", "d")
    os.unlink("d")
    os.rename("aside", "d")
"""


def test_folders_that_are_swapped_for_links_lead_nowhere(files: Files, root: Path) -> None:
    """A hostile account exchanges a folder for a link to what everybody may write, while the panel works in it."""
    outside = root.parent / "outside"
    for folder in (root / "httpdocs/d", outside):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        (folder / "file").write_text(folder.name)
    hostile = subprocess.Popen(
        [sys.executable, "-S", "-c", SWAPPING],
        cwd=root / "httpdocs", user=(root / "httpdocs").stat().st_uid, extra_groups=[],
    )  # fmt: skip
    try:
        for number in range(int(os.environ.get("INNKEEPER_FILE_RACES", "40"))):
            try:
                _, file = files.download(("httpdocs", "d", "file"))
                with file:
                    assert file.read() == b"d"
                files.make_folder(("httpdocs", "d", str(number)))
                files.trash(("httpdocs", "d"), [str(number)])
            except FileRefusedError as refusal:
                assert refusal.code == "missing"
        assert hostile.poll() is None
    finally:
        hostile.kill()
        hostile.wait()
    assert [path.name for path in outside.iterdir()] == ["file"]
    shutil.rmtree(outside)
