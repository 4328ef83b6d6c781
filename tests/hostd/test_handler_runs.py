"""hostd runs programs as other users: whom it may become, what a program gets, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from innkeeper.hostd import handlers as handlers_module
from innkeeper.hostd import requests, runner
from innkeeper.hostd.actions import Actions
from innkeeper.hostd.client import Client, CommandCheck, HostdError, Run, RunLimits, RunResult
from innkeeper.hostd.handlers import Handlers
from innkeeper.hostd.requests import RunHandler
from innkeeper.hostd.server import Server
from innkeeper.instance.config import Instance

USER = "nobody"
POLICY = f'ordinary = false\n[users]\n"{USER}" = "any"\n'
LIMITS = RunLimits(timeout_s=20, memory_mb=256, output_kb=64, open_files=64)


@pytest.fixture
def instance() -> Iterator[Instance]:
    if os.geteuid() != 0:
        pytest.skip("becomes other users: run as root")
    with tempfile.TemporaryDirectory(prefix="ik-") as name:
        state = Path(name)
        state.chmod(0o755)
        instance = Instance.new(state, environment=Path("/nonexistent"))
        (state / "etc").mkdir()
        instance.run_dir.mkdir(mode=0o755)
        instance.handler_policy.write_text(POLICY)
        yield instance


@pytest.fixture
def hostd(instance: Instance) -> Iterator[Client]:
    """A hostd that root and nobody may ask, and its client."""
    actions = Actions(instance)
    server = Server(actions, frozenset({0, pwd.getpwnam(USER).pw_uid}))
    listener = server.listen(instance.hostd_socket, pwd.getpwnam(USER).pw_gid)
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    yield Client(instance.hostd_socket)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    actions.handlers.end()


def script(instance: Instance, text: str, name: str = "handler", mode: int = 0o755) -> str:
    path = instance.state / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def run(hostd: Client, *argv: str, user: str = USER, run: str = "1", **more: Any) -> RunResult:
    limits = RunLimits(**{name: more.pop(name, getattr(LIMITS, name)) for name in RunLimits.__slots__})
    [[result]] = hostd.run_handler(user, [Run(run, argv, more.pop("environment", {}))], limits)
    return result


def marked(mark: str) -> list[int]:
    """The processes that carry a mark in their command line."""
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in found]


def gone(mark: str) -> bool:
    deadline = time.monotonic() + 60
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not marked(mark)


def test_a_program_runs_as_its_user_with_what_it_is_given(hostd: Client, instance: Instance) -> None:
    path = script(instance, 'id -un; pwd; umask; env | sort; echo "$#:$1:$2:$3" >&2; cat; exit 3')
    arguments = ["", "$(id); 'x\"", "-rf\nä"]
    result = run(hostd, path, *arguments, environment={"NEW_LOGIN_NAME": "bob", "INNKEEPER_EVENT": "client_create"})
    lines = result.stdout.splitlines()
    assert (result.exit_status, result.signal, result.error, result.timed_out) == (3, None, "", False)
    assert lines[:3] == [USER, "/", "0077"]
    assert result.stderr == f"3:{arguments[0]}:{arguments[1]}:{arguments[2]}\n"
    names = {line.partition("=")[0] for line in lines[3:]}
    assert names <= {
        "HOME", "INNKEEPER_EVENT", "INNKEEPER_INSTANCE", "INNKEEPER_RUN", "LANG", "LOGNAME", "NEW_LOGIN_NAME", "OLDPWD",
        "PATH", "PWD", "SHLVL", "USER", "_",
    }  # fmt: skip
    assert "NEW_LOGIN_NAME=bob" in lines


def test_what_forks_away_is_ended_with_its_run(hostd: Client, instance: Instance) -> None:
    mark = f"9{os.getpid()}.31"
    path = script(instance, f"setsid setsid sleep {mark} & (setsid sh -c 'sleep {mark}; :' &) ; setsid -f sleep {mark}")
    assert run(hostd, path).exit_status == 0
    assert not marked(mark)


def test_one_that_forks_faster_than_all_processes_are_looked_at_is_caught(hostd: Client, instance: Instance) -> None:
    mark = f"9{os.getpid()}.35"
    away = "use POSIX; for (1..40) { fork or last } while ($n++ < 20000 and not fork) { POSIX::setsid() }"
    path = script(instance, f"/usr/bin/perl -e '{away}' {mark}")
    assert run(hostd, path).exit_status == 0
    assert not marked(mark)


def test_a_command_that_never_ends_is_ended(hostd: Client, instance: Instance) -> None:
    mark = f"9{os.getpid()}.32"
    path = script(instance, f"trap '' TERM; echo begun; setsid sleep {mark} & while :; do sleep {mark}; done")
    result = run(hostd, path, timeout_s=2)
    assert result.timed_out and result.signal == signal.SIGKILL and result.stdout == "begun\n"
    assert not marked(mark)


def test_a_gigabyte_of_output_is_cut_and_does_not_fail(hostd: Client, instance: Instance) -> None:
    path = script(instance, "dd if=/dev/zero bs=64k count=16384 2> /dev/null; echo the end >&2; exit 137")
    result = run(hostd, path, output_kb=2)
    assert result.truncated and len(result.stdout) == 2048 and result.stderr == "the end\n"
    assert (result.exit_status, result.signal) == (137, None)


def test_output_that_is_no_text_is_made_one(hostd: Client, instance: Instance) -> None:
    assert run(hostd, script(instance, r"printf 'a\000\377b'")).stdout == "a\ufffd\ufffdb"


def test_a_program_has_its_users_ids_alone_and_no_way_back(hostd: Client) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as below `nohup`
    try:
        told = run(hostd, "/bin/cat", "/proc/self/status").stdout
    finally:
        signal.signal(signal.SIGHUP, before)
    status = {name: value.split() for name, _, value in (line.partition(":") for line in told.splitlines())}
    account = pwd.getpwnam(USER)
    assert status["Uid"] == [str(account.pw_uid)] * 4 and status["Gid"] == [str(account.pw_gid)] * 4
    assert status["Groups"] == [str(account.pw_gid)]
    assert {int(status[name][0], 16) for name in ("CapPrm", "CapEff", "CapAmb", "CapInh")} == {0}
    ours = 2**31 - 1  # beyond are signals of the C library's own
    assert {int(status[name][0], 16) & ours for name in ("SigIgn", "SigBlk")} == {0}


def test_runs_of_one_request_come_one_after_the_other_each_with_its_result(hostd: Client, instance: Instance) -> None:
    path = script(instance, 'echo "$INNKEEPER_EVENT_ID $1"; exit "$1"')
    runs = [Run(f"{n}", [path, f"{n}"], {"INNKEEPER_EVENT_ID": f"e{n}"}) for n in range(10)]
    runs.insert(4, Run("missing", ["/nonexistent"], {}))
    results: list[RunResult] = []
    while left := runs[len(results) :]:  # on a busy machine some are given back
        more = [*itertools.chain.from_iterable(hostd.run_handler(USER, left, LIMITS))]
        assert more, "each request makes at least one run"
        results += more
    assert results.pop(4).error == "No such file or directory"
    assert [(each.exit_status, each.stdout) for each in results] == [(n, f"e{n} {n}\n") for n in range(10)]


def test_a_long_run_keeps_no_result_and_no_other_run_waiting(hostd: Client, instance: Instance) -> None:
    log, go = instance.state / "log", instance.state / "go"
    path = script(instance, f'[ "$1" != slow ] || until [ -e {go} ]; do sleep 0.05; done; echo "$1" >> {log}')
    log.touch()
    log.chmod(0o666)
    runs = [Run(name, [path, name], {}) for name in ("first", "slow", "behind")]
    for _ in range(20):  # on a busy machine the first may be the long one
        log.write_text("")
        go.unlink(missing_ok=True)
        answers = hostd.run_handler(USER, runs, LIMITS)
        assert [each.exit_status for each in next(answers)] == [0]
        assert log.read_text() == "first\n"
        go.touch()
        if last := next(answers, []):
            break
    assert [each.exit_status for each in last] == [0]
    assert next(answers, None) is None
    assert log.read_text() == "first\nslow\n"


def test_one_with_little_memory_may_say_as_much_as_any(hostd: Client, instance: Instance) -> None:
    path = script(instance, "head -c 2M /dev/zero; head -c 2M /dev/zero >&2")
    result = run(hostd, path, memory_mb=16, output_kb=1024)
    assert result.exit_status == 0 and len(result.stdout) == len(result.stderr) == 1024 * 1024


def test_memory_and_files_are_limited(hostd: Client, instance: Instance) -> None:
    eater = script(instance, "ulimit -n; exec /usr/bin/python3 -c 'x = bytearray(200_000_000)'")
    result = run(hostd, eater, memory_mb=100, open_files=32)
    assert result.stdout == "32\n"
    assert result.exit_status == 1 and "MemoryError" in result.stderr
    assert run(hostd, eater, memory_mb=400).exit_status == 0


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["/nonexistent/handler"], "No such file or directory"),
        (["/etc/passwd"], "Permission denied"),
        (["/etc"], "Permission denied"),
        (["/bin/true", "x" * 200_000], "Argument list too long"),
    ],
)
def test_a_program_that_cannot_be_started_says_why(hostd: Client, argv: list[str], error: str) -> None:
    result = run(hostd, *argv)
    assert (result.exit_status, result.signal, result.error) == (None, None, error)


def test_a_program_that_is_no_script_and_no_binary_is_no_shell_script(hostd: Client, instance: Instance) -> None:
    path = Path(script(instance, ""))
    path.write_text("touch /tmp/never\n")
    assert run(hostd, str(path)).error == "Exec format error"


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": []},
        {"argv": ["true"]},
        {"argv": ["/bin/true", "a\0b"]},
        {"argv": ["/bin/true", "\ud800"]},
        {"argv": ["/bin/true", 1]},
        {"environment": {"LD_PRELOAD": "/x"}},
        {"environment": {"INNKEEPER_STATE": "/tmp/mine"}},
        {"environment": {"INNKEEPER_EVENT_LOG": "x"}},
        {"environment": {"NEW_X": "a\0b"}},
        {"environment": {"NEW_x": ""}},
        {"environment": []},
        {"user": "nobody;id"},
        {"user": ""},
        {"run": "a b"},
        {"timeout_s": 0},
        {"timeout_s": True},
        {"memory_mb": 10**9},
        {"output_kb": -1},
        {"open_files": "64"},
        {"runs": []},
        {"runs": {}},
        {"runs": [1]},
        {"runs": [{"run": "1", "argv": ["/bin/true"], "environment": {}, "user": "root"}]},
        {"runs": [{"run": "1", "argv": ["/bin/true"], "environment": {}}] * 33},
    ],
)
def test_a_request_that_is_malformed_is_refused(hostd: Client, wrong: dict[str, Any]) -> None:
    one: dict[str, Any] = {"run": "1", "argv": ["/bin/true"], "environment": {}}
    fields: dict[str, Any] = {"user": USER, "timeout_s": 5, "memory_mb": 64, "output_kb": 1, "open_files": 64}
    assert hostd.ask("run_handler", **fields, runs=[one])[0]["exit_status"] == 0
    runs = wrong.get("runs", [one, one | {name: value for name, value in wrong.items() if name in one}])
    fields |= {name: value for name, value in wrong.items() if name in fields}
    with pytest.raises(HostdError, match=next(iter(wrong))):
        hostd.ask("run_handler", **fields, runs=runs)


@pytest.mark.parametrize("user", ["root", "daemon", "postfix", "dovecot", "bin"])
def test_root_service_users_and_system_accounts_need_an_entry(hostd: Client, instance: Instance, user: str) -> None:
    instance.handler_policy.write_text(f"ordinary = true\n[users]\n{USER} = 'any'\n")
    with pytest.raises(HostdError, match=r"entry|no system user"):
        run(hostd, "/bin/true", user=user)
    assert user not in hostd.handler_users()
    assert hostd.check_command(user, "/bin/true").error
    with pytest.raises(HostdError, match="there is no system user nosuchuser"):
        run(hostd, "/bin/true", user="nosuchuser")


def test_roots_entry_names_programs_that_only_root_can_have_written(hostd: Client, instance: Instance) -> None:
    def entry(*paths: str) -> None:
        instance.handler_policy.write_text(f"ordinary = false\n[users]\nroot = {list(paths)!r}\n")

    mine = script(instance, "id -u")
    entry(mine)
    with pytest.raises(HostdError, match="/tmp can be written by others than root"):
        run(hostd, mine, user="root")
    true = os.path.realpath("/usr/bin/true")
    with pytest.raises(HostdError, match="does not name /usr/bin/id"):
        run(hostd, "/usr/bin/id", user="root")
    entry("/usr/bin/id", true)
    assert run(hostd, "/usr/bin/id", "-u", user="root").stdout == "0\n"
    assert hostd.handler_users() == ["root"]
    for crooked in ("/usr/bin/../bin/id", "/usr//bin/id", "/bin/id"):
        entry(crooked)
        with pytest.raises(HostdError, match="without links and dots"):
            run(hostd, crooked, user="root")
    entry("/usr/bin/id")
    instance.root_handler_lock.touch()
    with pytest.raises(HostdError, match=r"root\.event_handler\.lock"):
        run(hostd, "/usr/bin/id", user="root")
    assert hostd.handler_users() == []
    instance.root_handler_lock.unlink()
    instance.handler_policy.write_text("[users]\nroot = 'any'\n")
    with pytest.raises(HostdError, match="names the programs"):
        run(hostd, "/usr/bin/id", user="root")


@pytest.mark.parametrize("spoil", ["chmod 666", "chown nobody", "rm", "truncate -s 3", "sh -c 'echo users=3 > $0'"])
def test_a_policy_that_others_can_write_or_nobody_can_read_allows_nothing(
    hostd: Client, instance: Instance, spoil: str
) -> None:
    assert run(hostd, "/bin/true").exit_status == 0
    subprocess.run(f"{spoil} {instance.handler_policy}", shell=True, check=True)
    with pytest.raises(HostdError, match=r"event-handlers\.toml"):
        run(hostd, "/bin/true")
    with pytest.raises(HostdError, match=r"event-handlers\.toml"):
        hostd.handler_users()


TAKEN_OVER = """
import json, socket, sys
def ask(**fields):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(json.dumps(fields).encode() + b"\\n")
    return json.loads(s.makefile("rb").readline())
one = dict(run="x", argv=["/usr/bin/id", "-u"], environment={})
base = dict(op="run_handler", timeout_s=5, memory_mb=64, output_kb=1, open_files=64, runs=[one])
answers = [ask(**base, user=user) for user in ("root", "0", "+0", "root ", "daemon", "toor", "#0", "nobody:root")]
answers += [ask(**base | {"runs": [one | {"environment": {name: "/tmp/x.so"}}]}, user="nobody")
            for name in ("LD_PRELOAD", "PATH", "BASH_ENV", "NEW_X=1\\nLD_PRELOAD")]
answers += [ask(**base, user="nobody", uid=0), ask(op="check_command", user="root", path="/etc/shadow"),
            ask(op="check_command", user="nobody", path="/etc/shadow")]
print(json.dumps([answers, ask(**base, user="nobody")]))
"""


def test_a_client_of_the_panels_user_gets_no_root(hostd: Client, instance: Instance) -> None:
    done = subprocess.run(
        ["/usr/bin/python3", "-c", TAKEN_OVER, str(instance.hostd_socket)],
        user=USER,
        group=pwd.getpwnam(USER).pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    refused, allowed = json.loads(done.stdout)
    assert allowed["result"][0]["stdout"] == f"{pwd.getpwnam(USER).pw_uid}\n"
    for answer in refused:
        assert not answer["ok"] or (answer["result"]["error"] and answer["result"]["script"] is None), answer


def test_a_hostile_script_touches_nothing_that_its_user_cannot(hostd: Client, instance: Instance) -> None:
    secret = instance.state / "secret"
    secret.write_text("treasure")
    secret.chmod(0o600)
    attempts = f"cat {secret}; echo x > {instance.handler_policy}; kill -9 {os.getpid()} $PPID; cat /etc/shadow; id -G"
    result = run(hostd, script(instance, f"sleep 0.2; {attempts}; ls -l /proc/self/fd"))
    assert "treasure" not in result.stdout and result.stderr.count("ermission denied") >= 3
    assert result.stdout.splitlines()[0] == str(pwd.getpwnam(USER).pw_gid)
    assert "socket:" not in result.stdout
    assert instance.handler_policy.read_text() == POLICY


def test_an_account_that_is_not_named_gets_nothing_from_set_uid_programs(hostd: Client, instance: Instance) -> None:
    ordinary = [each for each in pwd.getpwall() if 1000 <= each.pw_uid < 60000]
    if not ordinary:
        pytest.skip("this machine has no ordinary account")
    name = ordinary[0].pw_name
    instance.handler_policy.write_text("ordinary = true\n")
    if name not in hostd.handler_users():
        pytest.skip("the ordinary account is in a group that leads to root")
    assert run(hostd, "/bin/grep", "NoNewPrivs", "/proc/self/status", user=name).stdout.split()[1] == "1"
    instance.handler_policy.write_text(f"[users]\n'{name}' = ['/bin/grep']\n")
    assert run(hostd, "/bin/grep", "NoNewPrivs", "/proc/self/status", user=name).stdout.split()[1] == "0"


def test_a_program_is_looked_at_as_its_user(hostd: Client, instance: Instance) -> None:
    path = script(instance, "echo $1")
    assert hostd.check_command(USER, path) == CommandCheck(None, "#!/bin/sh\necho $1\n")
    assert hostd.check_command(USER, "/bin/true") == CommandCheck(None, None)
    assert hostd.check_command(USER, script(instance, "", "unreadable", 0o711)) == CommandCheck(None, None)
    assert hostd.check_command(USER, script(instance, "", "idle", 0o644)).error == "it is not executable for this user"
    assert hostd.check_command(USER, "/etc").error == "it is a folder"
    assert hostd.check_command(USER, "/nonexistent").error == "No such file or directory"
    os.mkfifo(instance.state / "fifo", 0o777)
    assert hostd.check_command(USER, str(instance.state / "fifo")).error == "it is no file"
    (instance.state / "closed").mkdir(mode=0o700)
    assert hostd.check_command(USER, f"{instance.state}/closed/x").error == "Permission denied"


def test_a_run_ends_with_its_client_and_the_same_run_waits_for_that(hostd: Client, instance: Instance) -> None:
    mark = f"9{os.getpid()}.33"
    log = instance.state / "log"
    log.touch()
    log.chmod(0o666)
    path = script(instance, f"[ -s {log} ] && exit 0; echo begun >> {log}; sleep {mark}; echo ended >> {log}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(instance.hostd_socket))
        fields = {"user": USER, "runs": [{"run": "7", "argv": [path], "environment": {}}]}
        limits = {"timeout_s": 60, "memory_mb": 64, "output_kb": 1, "open_files": 64}
        request = {"op": "run_handler", **fields, **limits}
        connection.sendall(json.dumps(request).encode() + b"\n")
        while not log.read_text():
            time.sleep(0.01)
    assert run(hostd, path, run="7").exit_status == 0
    assert not marked(mark)
    assert log.read_text() == "begun\n"


def test_a_runner_whose_client_hangs_up_between_results_serves_no_other_request(
    hostd: Client, instance: Instance
) -> None:
    mark = f"9{os.getpid()}.38"
    path = script(instance, f"[ $1 != long ] || sleep {mark}; echo $1")
    told = hostd.run_handler(USER, [Run(name, (path, name), {}) for name in ("long", "behind")], LIMITS)
    assert next(told) == []
    told.close()  # type: ignore[attr-defined]
    for number in range(3):
        assert run(hostd, path, f"{number}", run=f"{number}").stdout == f"{number}\n"
    assert gone(mark)


def test_a_killed_runner_leaves_nothing_and_does_not_stop_the_next_run(instance: Instance) -> None:
    mark = f"9{os.getpid()}.34"
    handlers = Handlers(instance)
    handlers.begin()
    path = script(instance, f"setsid sleep {mark} & kill -9 $PPID; sleep {mark}")
    instance.handler_policy.write_text(f"[users]\nroot = ['{path}']\n")
    with pytest.MonkeyPatch.context() as patch:
        # Root's own program may do anything, so it is the one that can kill the runner.
        patch.setattr("innkeeper.hostd.handler_policy._check_roots_own", lambda _: None)
        request = RunHandler("root", (requests.Run("1", (path,), {}),), 20, 64, 1, 64)
        with pytest.raises(RuntimeError, match="runner"):
            handlers.run(request, None)
        assert gone(mark)
        after = RunHandler("root", (requests.Run("1", (script(instance, "echo next"),), {}),), 20, 64, 1, 64)
        assert handlers.run(after, None)[0]["stdout"] == "next\n"
    handlers.end()


def test_what_a_killed_hostd_left_of_the_own_user_is_ended_though_it_hides_its_environment(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = 2_000_000_000 + os.getpid()
    monkeypatch.setattr("innkeeper.instance.processes.handler_uid", lambda _: uid)
    with subprocess.Popen(["/bin/sleep", "60"], user=uid, group=uid, env={}, start_new_session=True) as left:
        try:
            Handlers(instance).begin()
            assert left.poll() == -signal.SIGKILL
        finally:
            left.kill()


def test_a_runner_that_cannot_say_what_came_ends_what_runs(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"9{os.getpid()}.37"
    path = script(instance, f"setsid sleep {mark}")
    account = pwd.getpwnam(USER)
    terms = {"uid": account.pw_uid, "gid": account.pw_gid, "groups": [], "set_uid_works": False}
    runs = [{"argv": [path], "environment": {}}] * 2
    ours, theirs = socket.socketpair()
    runner.send(ours.fileno(), terms | {"memory_mb": 1_024, "open_files": 256})
    runner.send(ours.fileno(), {"runs": runs, "timeout_s": 60, "output_kb": 1})

    def gone_hostd(_channel: int, _value: Any) -> None:
        while not marked(mark):
            time.sleep(0.01)
        raise BrokenPipeError

    monkeypatch.setattr(runner, "send", gone_hostd)
    if not (pid := os.fork()):
        with contextlib.suppress(BaseException):
            runner.serve(theirs.fileno())
        os._exit(0)
    os.waitpid(pid, 0)
    assert not marked(mark)
    ours.close()
    theirs.close()


def test_a_stopped_runner_is_ended_with_what_it_runs(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"9{os.getpid()}.36"
    monkeypatch.setattr(handlers_module, "ANSWER_S", 0.5)
    monkeypatch.setattr("innkeeper.hostd.handler_policy._check_roots_own", lambda _: None)
    handlers = Handlers(instance)
    handlers.begin()
    path = script(instance, f"kill -STOP $PPID; sleep {mark}")
    instance.handler_policy.write_text(f"[users]\nroot = ['{path}']\n")
    request = RunHandler("root", (requests.Run("1", (path,), {}),), 1, 64, 1, 64)
    with pytest.raises(RuntimeError, match="does not answer"):
        handlers.run(request, None)
    assert gone(mark)
    handlers.end()


def test_runs_have_a_bound_of_their_own(hostd: Client, instance: Instance) -> None:
    (folder := instance.state / "now").mkdir()
    folder.chmod(0o777)
    path = script(instance, f"cd {folder}; touch $$; sleep 0.05; ls | wc -l; rm $$")
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: counts.append(int(run(hostd, path, run=f"{n}").stdout)))
        for n in range(handlers_module.RUNS + 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == len(threads) and max(counts) <= handlers_module.RUNS
