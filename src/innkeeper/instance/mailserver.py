"""Writes the configuration of an instance's Postfix and Dovecot."""

from __future__ import annotations

import hashlib
import os
import subprocess

from innkeeper.components.drivers.postfix_dovecot.layout import Layout, Lookup
from innkeeper.components.drivers.postfix_dovecot.render import render
from innkeeper.instance import acl
from innkeeper.instance.config import Instance, InstanceError, read_secret, write_file
from innkeeper.instance.processes import MARK
from innkeeper.instance.tree import hostname
from innkeeper.instance.users import Ids


def layout(instance: Instance, ids: Ids) -> Layout:
    """What the renderers need to know of an instance."""
    server = instance.database.server
    lookup = (
        Lookup(
            host=server.host,
            port=server.port,
            name=server.name,
            role=instance.database.lookup_role,
            password=read_secret(instance.secrets / "lookup-password"),
        )
        if server
        else Lookup(path=instance.database.path)
    )
    return Layout(
        name=instance.name,
        host=instance.host,
        hostname=hostname(),
        smtp_port=instance.ports.smtp,
        submission_port=instance.ports.submission,
        imap_port=instance.ports.imap,
        pop3_port=instance.ports.pop3,
        sieve_port=instance.ports.sieve,
        etc=instance.etc,
        run=instance.run_dir,
        log=instance.log_dir,
        spool=instance.spool,
        data=instance.state / "lib" / "postfix",
        storage=instance.storage,
        certificate=instance.certificate,
        certificate_key=instance.certificate_key,
        lookup=lookup,
        policy_socket=instance.policy_socket,
        policy_user=instance.users.policy,
        mail_user=instance.users.mail,
        mail_uid=ids.mail,
        mail_gid=ids.mail_group,
        environment_mark=MARK,
        reply_program=instance.program / "innkeeper/components/drivers/postfix_dovecot/reply.py",
        files=instance.state / "files",
    )


def write(instance: Instance, ids: Ids) -> dict[str, str]:
    """Write what differs; a digest of each product's configuration. Sets Postfix's queue up as well."""
    changed = False
    digests = {name: hashlib.sha256(instance.certificate.read_bytes()) for name in ("dovecot", "postfix", "panel")}
    for file in render(layout(instance, ids)):
        mode, gid = (0o640, ids.database_group) if file.private else (0o644, 0)
        changed |= write_file(instance.etc / file.path, file.text, mode=mode, gid=gid)
        digests[file.path.partition("/")[0]].update(f"{file.path}\0{file.text}\0".encode())
    if changed or not (instance.spool / "public").is_dir():
        _check(instance)
    # The storage user's processes hand replies over there, and nobody else's but Postfix's own.
    acl.let_pass(instance.spool / "public", "user", ids.mail)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _check(instance: Instance) -> None:
    for command in (
        ["/usr/sbin/postfix", "-c", str(instance.etc / "postfix"), "check"],
        ["/usr/bin/doveconf", "-n", "-c", str(instance.etc / "dovecot" / "dovecot.conf")],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/")},
        )
        if done.returncode:
            raise InstanceError(f"{command[0]} refuses its configuration: {done.stderr.strip()[-400:]}")
