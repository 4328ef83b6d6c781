"""What hostd can be asked: a closed list of typed requests, validated as if the one who asks were hostile.

A request is one JSON object on a line: `{"op": NAME, ...}` with exactly the fields of its type. No field is text that a
root process would read as configuration; paths and arguments are for the processes that became their user.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from innkeeper.hostd import file_requests
from innkeeper.hostd.file_requests import FileRequest
from innkeeper.hostd.hosting_accounts import BIGGEST_ID, DOMAIN, HOSTINGS, KEY, KINDS, NAME, Spec, document_root
from innkeeper.hostd.trees import GRAVE, Move

MAX_LINE_BYTES = 2 * 1024 * 1024  # a thousand of the longest names of files, each byte written as six
MAX_ITEMS = 2_000

USERNAME = re.compile(r"[a-z0-9!#$&'*/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,253}")
STORAGE = re.compile(r"[0-9a-f]{32}")
PROGRAM = re.compile(r"[a-z]{1,16}")
USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
RUN = re.compile(r"[A-Za-z0-9.-]{1,64}")
PATH = re.compile(r"/[^\0\ud800-\udfff]{0,4095}")
ARGUMENT = re.compile(r"[^\0\ud800-\udfff]*")
VARIABLE = re.compile(r"(OLD|NEW)_[A-Z0-9_]{1,64}|INNKEEPER_(EVENT(_ID|_TIME|_DEPTH)?|OBJECT_(TYPE|ID)|ACTOR|ATTEMPT)")
"""Whatever else steers a program (PATH, LD_PRELOAD, INNKEEPER_STATE) is hostd's to set, or nobody's."""

MAX_ARGUMENTS = 512
MAX_RUNS = 32


class BadRequestError(Exception):
    """The request is not one of the list, or a value in it is not allowed. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Kick:
    """End the open mail sessions of accounts."""

    usernames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Tell used bytes and last log-in of storages."""

    storages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmptyGrave:
    """Delete the storage of a removed account."""

    storage: str


@dataclass(frozen=True, slots=True)
class Programs:
    """Tell what runs."""


@dataclass(frozen=True, slots=True)
class Control:
    """Start, stop or restart one of the instance's programs."""

    program: str
    action: str


@dataclass(frozen=True, slots=True)
class HandlerUsers:
    """Tell whom a handler of events may run as."""


@dataclass(frozen=True, slots=True)
class CheckCommand:
    """Look at a program as a user would see it."""

    user: str
    path: str


@dataclass(frozen=True, slots=True)
class Run:
    """A program to run, without a shell. `run` names the run."""

    run: str
    argv: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunHandler:
    """Run programs as a user, one after the other, and tell what came of each."""

    user: str
    runs: tuple[Run, ...]
    timeout_s: int
    memory_mb: int
    output_kb: int
    open_files: int


@dataclass(frozen=True, slots=True)
class EnsureUsers:
    """Make system users of hosting accounts."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveUsers:
    """Remove system users of hosting accounts."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnsureTrees:
    """Make the folder trees of hosting accounts, whose users are there."""

    accounts: tuple[Spec, ...]


@dataclass(frozen=True, slots=True)
class MoveTrees:
    """Give the trees of renamed hosting accounts their new places."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class BuryTrees:
    """Take the trees of removed hosting accounts away."""

    accounts: tuple[Spec, ...]


@dataclass(frozen=True, slots=True)
class EmptyTreeGrave:
    """Delete one grave that is older than some seconds."""

    keep_s: int


@dataclass(frozen=True, slots=True)
class Graves:
    """Tell of the trees of accounts that were taken away."""


@dataclass(frozen=True, slots=True)
class RestoreTree:
    """Give an account what lies in a grave."""

    account: Spec
    grave: str


HostingRequest = EnsureUsers | RemoveUsers | EnsureTrees | MoveTrees | BuryTrees | EmptyTreeGrave | Graves | RestoreTree
Request = (
    Kick
    | Figures
    | EmptyGrave
    | Programs
    | Control
    | HandlerUsers
    | CheckCommand
    | RunHandler
    | FileRequest
    | HostingRequest
)

ACTIONS = ("start", "stop", "restart")


def parse(line: bytes) -> Request:
    """The request of one line. Raises BadRequestError, whose text repeats nothing of the request."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequestError("not a JSON line") from None
    if not isinstance(data, dict):
        raise BadRequestError("not an object")
    op = data.pop("op", None)
    build = _BUILD.get(op) if isinstance(op, str) else None
    if build is None:
        raise BadRequestError("unknown op")
    fields, make = build
    if data.keys() != fields:
        raise BadRequestError(f"wants exactly the fields {sorted(fields)}")
    return make(data)


def _texts(values: Any, pattern: re.Pattern[str], what: str) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > MAX_ITEMS:
        raise BadRequestError(f"{what}: wants a list of at most {MAX_ITEMS}")
    return tuple(_text(value, pattern, what) for value in values)


def _text(value: Any, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadRequestError(f"{what}: a value is not allowed")
    return value


def _control(data: dict[str, Any]) -> Control:
    if data["action"] not in ACTIONS:
        raise BadRequestError("action: a value is not allowed")
    return Control(_text(data["program"], PROGRAM, "program"), data["action"])


LIMITS = {"timeout_s": (1, 3_600), "memory_mb": (16, 16_384), "output_kb": (0, 1_024), "open_files": (16, 4_096)}
"""What a handler can be given at least and at most."""


def _run_handler(data: dict[str, Any]) -> RunHandler:
    if not isinstance(data["runs"], list) or not 1 <= len(data["runs"]) <= MAX_RUNS:
        raise BadRequestError(f"runs: wants a list of 1 to {MAX_RUNS}")
    limits = {}
    for name, (least, most) in LIMITS.items():
        value = data[name]
        if type(value) is not int or not least <= value <= most:
            raise BadRequestError(f"{name}: wants a number from {least} to {most}")
        limits[name] = value
    return RunHandler(_text(data["user"], USER, "user"), tuple(map(_run, data["runs"])), **limits)


def _run(data: Any) -> Run:
    if not isinstance(data, dict) or data.keys() != {"run", "argv", "environment"}:
        raise BadRequestError("runs: wants objects with run, argv and environment")
    argv, environment = data["argv"], data["environment"]
    if not isinstance(argv, list) or not 1 <= len(argv) <= MAX_ARGUMENTS:
        raise BadRequestError(f"argv: wants a list of 1 to {MAX_ARGUMENTS}")
    if not isinstance(environment, dict) or len(environment) > MAX_ITEMS:
        raise BadRequestError(f"environment: wants an object of at most {MAX_ITEMS}")
    return Run(
        _text(data["run"], RUN, "run"),
        (_text(argv[0], PATH, "argv"), *(_text(value, ARGUMENT, "argv") for value in argv[1:])),
        {
            _text(name, VARIABLE, "environment"): _text(value, ARGUMENT, "environment")
            for name, value in environment.items()
        },
    )


def _spec(value: Any) -> Spec:
    if not isinstance(value, dict) or value.keys() != {field.name for field in dataclasses.fields(Spec)}:
        raise BadRequestError("account: wants an object with the fields of a hosting account")
    for name in ("id", "webspace", "site"):
        if type(value[name]) is not int or not 0 < value[name] <= BIGGEST_ID:
            raise BadRequestError(f"{name}: a value is not allowed")
    if value["kind"] not in KINDS or value["hosting"] not in HOSTINGS or not isinstance(value["native"], bool):
        raise BadRequestError("kind, hosting, native: a value is not allowed")
    if not isinstance(value["writable"], bool):
        raise BadRequestError("writable: a value is not allowed")
    try:
        fits = value["www_root"] == document_root(value["www_root"])
    except (AttributeError, ValueError):
        fits = False
    if not fits or (value["www_root"] and (value["kind"] == "webuser" or value["hosting"] == "frame")):
        raise BadRequestError("www_root: a value is not allowed")
    _text(value["domain"], DOMAIN, "domain")
    if value["kind"] == "domain":
        if value["name"] != "" or value["id"] != value["site"]:
            raise BadRequestError("name, site: a value is not allowed")
    else:
        _text(value["name"], NAME, "name")
    return Spec(**value)


def _specs(values: Any) -> tuple[Spec, ...]:
    if not isinstance(values, list) or len(values) > MAX_ITEMS:
        raise BadRequestError(f"accounts: wants a list of at most {MAX_ITEMS}")
    return tuple(map(_spec, values))


def _moves(values: Any) -> tuple[Move, ...]:
    if not isinstance(values, list) or len(values) > MAX_ITEMS:
        raise BadRequestError(f"moves: wants a list of at most {MAX_ITEMS}")
    moves = []
    for value in values:
        if not isinstance(value, list) or len(value) != 2:
            raise BadRequestError("moves: wants pairs of accounts")
        move = Move(_spec(value[0]), _spec(value[1]))
        if move.spec.key != move.old.key:
            raise BadRequestError("moves: a pair is not one account")
        moves.append(move)
    return tuple(moves)


def _seconds(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**32:
        raise BadRequestError("keep_s: a value is not allowed")
    return value


_BUILD: dict[str, tuple[set[str], Callable[[dict[str, Any]], Request]]] = {
    "kick": ({"usernames"}, lambda d: Kick(_texts(d["usernames"], USERNAME, "usernames"))),
    "figures": ({"storages"}, lambda d: Figures(_texts(d["storages"], STORAGE, "storages"))),
    "empty_grave": ({"storage"}, lambda d: EmptyGrave(_text(d["storage"], STORAGE, "storage"))),
    "programs": (set(), lambda _: Programs()),
    "control": ({"program", "action"}, _control),
    "handler_users": (set(), lambda _: HandlerUsers()),
    "check_command": (
        {"user", "path"},
        lambda d: CheckCommand(_text(d["user"], USER, "user"), _text(d["path"], PATH, "path")),
    ),
    "ensure_users": ({"keys"}, lambda d: EnsureUsers(_texts(d["keys"], KEY, "keys"))),
    "remove_users": ({"keys"}, lambda d: RemoveUsers(_texts(d["keys"], KEY, "keys"))),
    "ensure_trees": ({"accounts"}, lambda d: EnsureTrees(_specs(d["accounts"]))),
    "move_trees": ({"moves"}, lambda d: MoveTrees(_moves(d["moves"]))),
    "bury_trees": ({"accounts"}, lambda d: BuryTrees(_specs(d["accounts"]))),
    "empty_tree_grave": ({"keep_s"}, lambda d: EmptyTreeGrave(_seconds(d["keep_s"]))),
    "graves": (set(), lambda _: Graves()),
    "restore_tree": (
        {"account", "grave"},
        lambda d: RestoreTree(_spec(d["account"]), _text(d["grave"], GRAVE, "grave")),
    ),
    "run_handler": ({"user", "runs", *LIMITS}, _run_handler),
}


def _file_request(op: str) -> tuple[set[str], Callable[[dict[str, Any]], Request]]:
    def build(data: dict[str, Any]) -> Request:
        try:
            return file_requests.read(op, data)
        except file_requests.BadFieldError as error:
            raise BadRequestError(str(error)) from None

    return file_requests.fields(op), build


_BUILD |= {op: _file_request(op) for op in file_requests.FILE_REQUESTS}
