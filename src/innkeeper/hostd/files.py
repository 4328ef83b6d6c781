"""The files of a hosting account: what hostd's child does once it has become that account.

Every path is walked from the account's root by descriptors that follow no link. What the kernel refuses the account is
refused; hostd itself touches nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any

from innkeeper.hostd import disk, trash
from innkeeper.hostd.archive import opened_file, pack
from innkeeper.hostd.become import Answer, Tell, TimeUpError
from innkeeper.hostd.copying import copy
from innkeeper.hostd.file_requests import (
    TRASH,
    UPLOAD,
    BeginUpload,
    CopyAll,
    Download,
    DownloadArchive,
    DropUpload,
    EmptyTrash,
    EndUpload,
    FileRequest,
    ListFolder,
    ListTrash,
    Look,
    MakeArchive,
    MakeFolder,
    Move,
    MoveAll,
    Restore,
    ToTrash,
    Unpack,
    WriteUpload,
)
from innkeeper.hostd.folders import described, entry, exchange, is_there, move, names_in, opened, readable, take_rights
from innkeeper.hostd.removal import remove
from innkeeper.hostd.selection import Bounds, Count, TooLargeError, counted
from innkeeper.hostd.unpack import BadArchiveError, unpack

MAX_LISTED = 50_000
UNFINISHED_S = 24 * 3600
"""What has a name for the unfinished and was not touched for so long was left by somebody who was killed."""

SECONDS = 10.0
LONG_SECONDS = 1_800.0
DOWNLOAD_SECONDS = 25.0
"""A panel's request waits for it."""

BOUNDS = Bounds(bytes=10 << 30, objects=200_000)
DOWNLOAD_BOUNDS = Bounds(bytes=512 << 20, objects=20_000)
MAX_COPIES = 100

# The refusals that are told apart, by the kernel's number for them; every other is "failed".
REFUSALS = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EISDIR: "no-file",
    errno.ELOOP: "link",
    errno.EEXIST: "exists",
    errno.ENOTEMPTY: "exists",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EROFS: "denied",
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.ENAMETOOLONG: "name",
    errno.EINVAL: "name",
    errno.EILSEQ: "name",
    errno.EXDEV: "elsewhere",
}


class RefusedError(Exception):
    """The request makes sense and cannot be done; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def do(root: int, request: FileRequest, tell: Tell) -> Answer:
    """Do a request below an opened root. Every refusal is an answer: `{"refused": CODE}`."""
    long = LONG_WORK.get(type(request))
    if long is not None:
        return refusable(lambda: (long(root, request, tell), ()))
    return refusable(lambda: WORK[type(request)](root, request))


def refusable(work: Callable[[], Answer]) -> Answer:
    """Do a piece of work; what the kernel refuses in it is an answer."""
    try:
        return work()
    except RefusedError as refusal:
        return {"refused": refusal.code}, ()
    except BadArchiveError as refusal:
        return {"refused": refusal.code}, ()
    except TooLargeError as refusal:
        return {"refused": "too-large", "limit": refusal.limit}, ()
    except TimeUpError:
        return {"refused": "time"}, ()
    except RecursionError:
        return {"refused": "too-deep"}, ()
    except MemoryError:
        return {"refused": "too-large", "limit": "objects"}, ()
    except OSError as error:
        return {"refused": refusal_of(error)}, ()


def kernel_says(root: int, path: tuple[str, ...]) -> dict[str, bool]:
    """What the kernel lets the account of this process do with an object."""
    try:
        with opened(root, path[:-1]) as folder:
            fd = os.open(path[-1] if path else ".", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return {"read": False, "write": False, "execute": False}
    asked = {"read": os.R_OK, "write": os.W_OK, "execute": os.X_OK}
    return {right: os.access(f"/proc/self/fd/{fd}", mode) for right, mode in asked.items()}


def refusal_of(error: OSError) -> str:
    """The code of what the kernel refused."""
    return REFUSALS.get(error.errno or 0, "failed")


def _list(root: int, request: ListFolder) -> Answer:
    found: list[tuple[str, os.stat_result]] = []
    cut = False
    with opened(root, request.path) as folder, readable(folder) as names, os.scandir(names) as entries:
        for item in entries:
            name = item.name
            if not request.path and name == TRASH:
                continue
            if len(found) >= MAX_LISTED:
                cut = True
                break
            with contextlib.suppress(FileNotFoundError):  # it went while we looked
                st = item.stat(follow_symlinks=False)
                if not UPLOAD.fullmatch(name) or _is_left_over(st):
                    found.append((name, st))
        found.sort(key=lambda pair: _ORDERS[request.order](*pair), reverse=request.descending)
        found.sort(key=lambda pair: not stat.S_ISDIR(pair[1].st_mode))
        page = found[request.start : request.start + request.count]
        told = [described(folder, name, st) for name, st in page]
        here = described(folder, "", os.fstat(names))
    return {"here": here, "entries": told, "total": len(found), "cut": cut}, ()


_ORDERS: dict[str, Callable[[str, os.stat_result], Any]] = {
    "name": lambda name, _: (name.casefold(), name),
    "size": lambda name, st: (st.st_size, name),
    "modified": lambda name, st: (st.st_mtime, name),
}


def _look(root: int, request: Look) -> Answer:
    if not request.path:
        return described(root, "", os.fstat(root)), ()
    with opened(root, request.path[:-1]) as folder:
        return entry(folder, request.path[-1]), ()


def _download(root: int, request: Download) -> Answer:
    with opened(root, request.path[:-1]) as folder:
        # A pipe would wait for a writer, and a device is no file: both are seen before anything is read.
        fd = os.open(request.path[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        st = os.fstat(fd)
        if not stat.S_ISREG(st.st_mode):
            raise RefusedError("no-file")
        return described(folder, request.path[-1], st), (fd,)


def _is_left_over(st: os.stat_result) -> bool:
    """Whether nobody will end what has a name for the unfinished: it is shown then, and swept away.

    A copy has the times of its original but for this one, which nobody sets.
    """
    return st.st_ctime < time.time() - UNFINISHED_S


def _begin_upload(root: int, request: BeginUpload) -> Answer:
    token = secrets.token_hex(16)
    with opened(root, request.path) as folder:
        _sweep(root, folder, request.path)
        os.close(os.open(_hidden(token), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder))
    return token, ()


def _sweep(root: int, folder: int, path: tuple[str, ...]) -> None:
    """Move to the trash what uploads, copies and archives left in a folder when they were killed."""
    with contextlib.suppress(OSError), readable(folder) as fd:
        for name in filter(UPLOAD.fullmatch, names_in(fd)):
            with contextlib.suppress(OSError):
                if _is_left_over(os.stat(name, dir_fd=folder, follow_symlinks=False)):
                    trash.put(root, folder, name, (*path, name))


def _write_upload(root: int, request: WriteUpload) -> Answer:
    with opened(root, request.path) as folder:
        fd = os.open(_hidden(request.token), os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        st = os.fstat(fd)
        if not stat.S_ISREG(st.st_mode):
            raise RefusedError("no-file")
        return st.st_size, (fd,)


def _end_upload(root: int, request: EndUpload) -> Answer:
    hidden = _hidden(request.token)
    with opened(root, request.path) as folder:
        fd = os.open(hidden, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if os.fstat(fd).st_size != request.size:
                raise RefusedError("incomplete")
            os.fsync(fd)
            try:
                move(folder, hidden, folder, request.name)
            except FileExistsError:
                if not request.replace:
                    raise
                _replace(root, folder, request, fd)
        finally:
            os.close(fd)
        return entry(folder, request.name), ()


def _replace(root: int, folder: int, request: EndUpload, fd: int) -> None:
    """Let a complete upload take the place of a file, which goes to the trash and leaves its rights behind."""
    old = os.stat(request.name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(old.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    take_rights(fd, folder, request.name, old)
    hidden = _hidden(request.token)
    exchange(folder, hidden, request.name)
    trash.put(root, folder, hidden, (*request.path, request.name))


def _drop_upload(root: int, request: DropUpload) -> Answer:
    with opened(root, request.path) as folder:
        os.unlink(_hidden(request.token), dir_fd=folder)
    return True, ()


def _hidden(token: str) -> str:
    return f".upload-{token}"


def _make_folder(root: int, request: MakeFolder) -> Answer:
    with opened(root, request.path[:-1]) as folder:
        os.mkdir(request.path[-1], 0o755, dir_fd=folder)
        return entry(folder, request.path[-1]), ()


def _move(root: int, request: Move) -> Answer:
    with opened(root, request.path[:-1]) as source, opened(root, request.target[:-1]) as target:
        move(source, request.path[-1], target, request.target[-1])
    return True, ()


def _to_trash(root: int, request: ToTrash) -> Answer:
    outcomes: dict[str, Any] = {}
    with opened(root, request.path) as folder:
        for name in request.names:
            try:
                if not request.path and name == TRASH:
                    raise RefusedError("denied")
                outcomes[name] = {"key": trash.put(root, folder, name, (*request.path, name))}
            except OSError as error:
                outcomes[name] = {"refused": refusal_of(error)}
            except RefusedError as refusal:
                outcomes[name] = {"refused": refusal.code}
    return outcomes, ()


def _list_trash(root: int, request: ListTrash) -> Answer:
    return trash.listed(root, request.start, request.count), ()


def _restore(root: int, request: Restore) -> Answer:
    outcomes: dict[str, Any] = {}
    for key in request.keys:
        try:
            outcomes[key] = {"path": trash.told_of(trash.restore(root, key))}
        except OSError as error:
            outcomes[key] = {"refused": refusal_of(error)}
    return outcomes, ()


def _empty_trash(root: int, request: EmptyTrash, tell: Tell) -> int:
    return trash.empty(root, request.older_than, tell)


def _move_all(root: int, request: MoveAll) -> Answer:
    outcomes: dict[str, Any] = {}
    with opened(root, request.path) as source, opened(root, request.target) as target:
        for name in request.names:
            try:
                _check_way(request, name)
                move(source, name, target, name)
                outcomes[name] = {}
            except OSError as error:
                outcomes[name] = {"refused": refusal_of(error)}
            except RefusedError as refusal:
                outcomes[name] = {"refused": refusal.code}
    return outcomes, ()


def _check_way(request: MoveAll | CopyAll, name: str) -> None:
    """Raises RefusedError for the trash, and for a folder that would go into itself."""
    if not request.path and name == TRASH:
        raise RefusedError("denied")
    if request.target[: len(request.path) + 1] == (*request.path, name):
        raise RefusedError("name")


def _copy_all(root: int, request: CopyAll, tell: Tell) -> dict[str, Any]:
    """No copy has its name before all are complete."""
    done: list[tuple[str, str]] = []
    with opened(root, request.path) as source, opened(root, request.target) as target:
        for name in request.names:
            _check_way(request, name)
            if request.path != request.target and is_there(target, name):
                raise FileExistsError(errno.EEXIST, name)
        count = counted(source, list(request.names), BOUNDS, tell)
        try:
            for name in request.names:
                hidden = _hidden(secrets.token_hex(16))
                done.append((hidden, name))
                copy(source, name, target, hidden, count)
            names = [_settled(target, request, hidden, name) for hidden, name in done if is_there(target, hidden)]
        except BaseException:
            for hidden, _ in done:
                with contextlib.suppress(OSError):
                    remove(target, hidden)
            raise
    return {"names": names, **count.outcome()}


def _settled(target: int, request: CopyAll, hidden: str, name: str) -> str:
    """Give a complete copy its name, with a number if it lies beside its original."""
    if request.path != request.target:
        move(target, hidden, target, name)
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    for number in range(2, MAX_COPIES):
        with contextlib.suppress(FileExistsError):
            new = f"{stem} ({number}){dot}{ending}"
            move(target, hidden, target, new)
            return new
    raise FileExistsError(errno.EEXIST, name)


def _archive(root: int, request: MakeArchive, tell: Tell) -> dict[str, Any]:
    with opened(root, request.path) as folder, _becoming(folder, request.name) as hidden:
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        with os.fdopen(fd, "w+b") as file:
            disk.leave_room(fd)
            count = pack(folder, _packed(request), file, request.kind, BOUNDS, tell)
            file.flush()
            os.fsync(fd)
    return count.outcome()


def _download_archive(root: int, request: DownloadArchive) -> Answer:
    """The file has no name: it is gone with the last who has it open, whatever happens."""
    with opened(root, request.path) as folder, opened(root, (TRASH,)) as trashed:
        fd = os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=trashed)
        with os.fdopen(os.dup(fd), "w+b") as file:
            disk.leave_room(fd)
            pack(folder, _packed(request), file, request.kind, DOWNLOAD_BOUNDS, lambda _: None)
        os.lseek(fd, 0, os.SEEK_SET)
        return {"size": os.fstat(fd).st_size}, (fd,)


def _packed(request: MakeArchive | DownloadArchive) -> list[str]:
    return [name for name in request.names if request.path or name != TRASH]


def _unpack(root: int, request: Unpack, tell: Tell) -> dict[str, Any]:
    with opened(root, request.path[:-1]) as folder, opened_file(folder, request.path[-1]) as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise RefusedError("no-file")
        count = Count(BOUNDS, tell)
        with _becoming(folder, request.name) as hidden:
            os.mkdir(hidden, 0o755, dir_fd=folder)
            with opened(folder, (hidden,)) as below:
                unpack(source, below, count)
    return count.outcome()


@contextlib.contextmanager
def _becoming(folder: int, name: str) -> Iterator[str]:
    """A hidden name for what gets its own when it is complete, and is removed when it is not."""
    if is_there(folder, name):
        raise FileExistsError(errno.EEXIST, name)
    hidden = _hidden(secrets.token_hex(16))
    try:
        yield hidden
        move(folder, hidden, folder, name)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(folder, hidden)
        raise


WORK: dict[type[FileRequest], Callable[[int, Any], Answer]] = {
    ListFolder: _list,
    Look: _look,
    Download: _download,
    BeginUpload: _begin_upload,
    WriteUpload: _write_upload,
    EndUpload: _end_upload,
    DropUpload: _drop_upload,
    MakeFolder: _make_folder,
    Move: _move,
    ToTrash: _to_trash,
    ListTrash: _list_trash,
    Restore: _restore,
    MoveAll: _move_all,
    DownloadArchive: _download_archive,
}
LONG_WORK: dict[type[FileRequest], Callable[[int, Any, Tell], Any]] = {
    EmptyTrash: _empty_trash,
    CopyAll: _copy_all,
    MakeArchive: _archive,
    Unpack: _unpack,
}
