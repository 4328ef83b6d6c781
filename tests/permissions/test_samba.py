"""The store for Samba against a real smbd: what it grants over the network is what the rules say."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trees import ALICE, CHARLIE, GROUPS, MEMBERS, USERS, WEB, compiled, entry, make

from innkeeper.permissions.apply import Options, run
from innkeeper.permissions.stores.nt import NTStore

PASSWORD = "Kx4-paper-boat"
ALL = "ThisFolderSubfoldersAndFiles"
RULES = (
    entry("alice", "httpdocs", "ThisObjectOnly", "FileNonRemovable", "0x144"),
    entry("alice", "httpdocs", "SubfoldersAndFilesOnly", "FullAccess", "0x140"),
    entry("alice", r"httpdocs\picture_library", "ThisObjectOnly", "FileRemovable", "0x141"),
    entry("alice", r"httpdocs\picture_library", ALL, "FullAccess", "0x140"),
    entry("web", "httpdocs", "ThisFolderAndSubfolders", "ReadAndExecute", "0x140"),
    entry("web", "httpdocs", "0x9", "Read", "0x140"),
)

pytestmark = pytest.mark.service


@pytest.fixture
def share(tree: Path, tmp_path: Path) -> Iterator[Callable[..., bool]]:
    """A running smbd with the tree as its share; runs one command of smbclient as a user, and tells whether it worked.

    The mode bits of the tree are open to all, and the share ignores them, so that descriptors alone decide.
    """
    if not (shutil.which("smbd") and shutil.which("smbclient")):
        pytest.skip("the Debian packages samba and smbclient are not installed")
    make(tree, "httpdocs/index.html", "httpdocs/picture_library/cat.jpg", "httpdocs/img/logo.png")
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    policy = compiled(tree, *RULES)
    run(policy, NTStore(policy), str(tree), Options())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = configuration(tmp_path, tree, port)
    output = (tmp_path / "output").open("wb")
    server = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script(tmp_path, conf)],
        stdin=subprocess.DEVNULL,  # smbd ends with a pipe that it reads
        stdout=output, stderr=output,
        start_new_session=True,  # at its end smbd ends its whole process group
    )  # fmt: skip
    try:
        until_it_listens(server, port, tmp_path / "output")
        yield lambda user, command: told(tmp_path, user, command, port)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        output.close()


def configuration(base: Path, tree: Path, port: int) -> Path:
    folders = {
        f"{name} directory": base / name.replace(" ", "-") for name in ("private", "lock", "state", "cache", "pid")
    }
    folders["private dir"] = folders.pop("private directory")
    folders["ncalrpc dir"] = base / "ncalrpc"
    for folder in folders.values():
        folder.mkdir()
    lines = [
        "[global]", "server role = standalone server", f"smb ports = {port}", "interfaces = 127.0.0.1",
        "bind interfaces only = yes", "disable netbios = yes", "load printers = no", "disable spoolss = yes",
        f"passdb backend = tdbsam:{base}/passdb.tdb", f"log file = {base}/log", "max log size = 0",
        *(f"{name} = {folder}" for name, folder in folders.items()),
        "[site]", f"path = {tree}", "read only = no", "vfs objects = acl_xattr",
        "acl_xattr:ignore system acls = yes", "map archive = no",
    ]  # fmt: skip
    path = base / "smb.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def script(base: Path, conf: Path) -> str:
    """smbd asks the system for its users, so it gets an /etc of its own, which nobody else sees.

    The whole folder: what is mounted over a file alone comes off when somebody replaces the file, as `useradd` does.
    """
    etc = base / "etc"
    etc.mkdir(mode=0o755)
    for name in ("nsswitch.conf", "ld.so.cache", "hosts", "services", "localtime"):
        if (Path("/etc") / name).exists():
            shutil.copy(Path("/etc") / name, etc)
    users = Path("/etc/passwd").read_text()
    groups = Path("/etc/group").read_text()
    for name, uid in USERS.items():
        users += f"{name}:x:{uid}:{min(MEMBERS[uid])}::/nonexistent:/usr/sbin/nologin\n"
    for name, gid in GROUPS.items():
        members = ",".join(user for user, uid in USERS.items() if gid in MEMBERS[uid])
        groups += f"{name}:x:{gid}:{members}\n"
    (etc / "passwd").write_text(users)
    (etc / "group").write_text(groups)
    (base / "passwords").write_text(f"{PASSWORD}\n{PASSWORD}\n")
    for name in USERS:
        (base / name).write_text(f"username = {name}\npassword = {PASSWORD}\n")
    added = "".join(f"smbpasswd -c {conf} -L -s -a {name} <{base}/passwords\n" for name in USERS)
    return f"set -e\nmount --bind {etc} /etc\n{added}exec smbd --foreground --no-process-group --configfile={conf}\n"


def until_it_listens(server: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, output.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("smbd does not listen")


def told(base: Path, user: str, command: str, port: int) -> bool:
    done = subprocess.run(
        ["smbclient", "//127.0.0.1/site", "-p", str(port), "-A", str(base / user), "-c", command],
        cwd=base, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    output = done.stdout + done.stderr
    refused = any(word in output for word in ("NT_STATUS_ACCESS_DENIED", "NT_STATUS_MEDIA_WRITE_PROTECTED"))
    assert (done.returncode == 0 and "NT_STATUS" not in output) or refused, output
    return not refused


def test_smbd_grants_what_the_rules_of_httpdocs_say(share, tree, tmp_path):
    page = tree / "httpdocs/index.html"
    new = tmp_path / "new.txt"
    new.write_text("new")
    put = f"put {new} httpdocs/"
    # The domain's own user: works inside, and can neither remove nor rename what is not removable.
    assert share("alice", "ls httpdocs/*")
    assert share("alice", f"{put}alice.txt")
    assert share("alice", "mkdir httpdocs/folder")
    assert share("alice", "rmdir httpdocs/folder")
    assert share("alice", f"put {new} httpdocs/picture_library/dog.jpg")
    assert not share("alice", "rename httpdocs gone")
    assert not share("alice", r"rename httpdocs\picture_library httpdocs\gone")
    assert share("alice", "rename httpdocs/img httpdocs/images")
    # The web server reads, old and new.
    assert share("web", "get httpdocs/index.html got.html")
    assert share("web", "get httpdocs/alice.txt got.txt")
    assert not share("web", f"{put}index.html")
    assert not share("web", f"{put}web.txt")
    assert not share("web", "del httpdocs/index.html")
    # A stranger has nothing.
    assert not share("charlie", "get httpdocs/index.html got.html")
    assert not share("charlie", f"{put}charlie.txt")
    assert not share("charlie", "del httpdocs/index.html")
    assert page.read_text() == "httpdocs/index.html"
    assert share("alice", "del httpdocs/index.html")
    assert not page.exists()
    made = {path.name for path in (tree / "httpdocs").iterdir()}
    assert made == {"alice.txt", "images", "picture_library"}
    assert (tree / "httpdocs/alice.txt").stat().st_uid == ALICE
    assert {ALICE, WEB, CHARLIE} <= set(USERS.values())
