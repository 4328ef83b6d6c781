"""The programs of an instance, in the order in which they start."""

from __future__ import annotations

from innkeeper.instance.config import Instance
from innkeeper.instance.database import program_environment
from innkeeper.instance.supervision import Program, quote

DRIVER = "innkeeper.components.drivers.postfix_dovecot"
PANEL_WORKERS = 2

# The C library gives back what a large packet took only if large blocks stay apart from small ones, and if not every
# thread has an arena of its own.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}

MAIL = ("keeper", "policy", "dovecot", "postfix")
"""Run on while the panel is being migrated."""


def programs(instance: Instance) -> list[Program]:
    """Everything that supervisor runs. The keeper is first and so ends last."""
    environment = program_environment(instance) | MEMORY
    panel = instance.users.panel
    database = instance.database

    def python(name: str, *words: str, user: str = panel, umask: str = "027", stop_wait_s: int = 10) -> Program:
        return Program(name, quote(instance.python, "-m", *words), user, umask, environment, stop_wait_s)

    def shared(name: str, module: str, stop_wait_s: int = 10) -> Program:
        """A program that is forked from what the panel has loaded."""
        return python(name, "innkeeper.instance.stand_in", str(instance.image_socket), module, stop_wait_s=stop_wait_s)

    policy_lookups = (
        ("--postgresql-url-file", f"{instance.secrets}/policy-url")
        if database.server
        else ("--sqlite", f"{database.path}", "--counters", f"{instance.state}/lib/policy/counters.sqlite3")
    )
    keeper = [python("keeper", "innkeeper.instance.keeper", str(database.path))] if not database.server else []
    return [
        *keeper,
        python("hostd", "innkeeper.hostd", user="root", umask="022"),
        python(
            "policy",
            *(f"{DRIVER}.policy", "--socket", str(instance.policy_socket)),
            *("--quota-socket", f"{instance.run_dir}/dovecot/quota-status"),
            *policy_lookups,
            user=instance.users.policy,
            umask="077",
        ),
        Program(
            "dovecot", quote("/usr/sbin/dovecot", "-F", "-c", instance.etc / "dovecot" / "dovecot.conf"), stop_wait_s=20
        ),
        # `postfix start-fg` would leave the master behind when it is stopped: it makes a session of its own.
        Program(
            "postfix",
            quote("/usr/lib/postfix/sbin/master", "-d"),
            environment={"MAIL_CONFIG": f"{instance.etc}/postfix"},
        ),
        python(
            "panel",
            *("innkeeper.doors.serve", "--interface", "rsgi"),
            *("--host", instance.host, "--port", str(instance.ports.panel)),
            *("--workers", str(PANEL_WORKERS), "--no-ws", "--respawn-failed-workers"),
            *("--ssl-certificate", str(instance.certificate), "--ssl-keyfile", str(instance.certificate_key)),
            # Integrations in use speak TLS 1.2.
            *("--ssl-protocol-min", "tls1.2", "innkeeper.doors.rsgi:application"),
            stop_wait_s=20,
        ),
        shared("cli", "innkeeper.doors.cli.server"),
        shared("worker", "innkeeper.jobs.worker", stop_wait_s=30),
    ]
