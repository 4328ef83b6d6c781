"""The state folder: which parts it has, who owns them, its secrets and its certificate."""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from innkeeper.instance.config import Instance, read_secret, write_file
from innkeeper.instance.users import Ids

HANDLER_POLICY = """\
# Whom commands of event handlers may run as. Only root can change this file, so the panel cannot.
#
# true: also the ordinary accounts of this machine (UID_MIN to UID_MAX of /etc/login.defs) that are in no group that
# leads to root, such as sudo or docker. Set-uid programs give them nothing there; an entry below lifts that.
ordinary = true

# Service users, system accounts and members of such groups need an entry: "any", or a list of full paths. An entry for
# root always lists the programs, which only root can have written, as the folders that they are in. It is void while
# the file root.event_handler.lock lies in the state folder.
[users]
"{user}" = "any"
# root = ["/usr/local/sbin/tell-the-office"]
"""
CERTIFICATE_DAYS = 825
RENEW_DAYS = 30


def make_sockets(instance: Instance) -> None:
    """Make a folder for the sockets, if the state folder's path is too long for them. `/run` forgets it at a restart.

    It is a folder and no link to the state folder, because Dovecot finds its sockets by the working directory.
    """
    if instance.sockets == instance.state:
        return
    instance.sockets.mkdir(mode=0o755, exist_ok=True)
    for link, target in (
        (instance.spool, instance.state / "spool"),
        (instance.state / "run", instance.run_dir),
    ):
        if not link.is_symlink():
            link.symlink_to(target)


def remove_sockets(instance: Instance) -> None:
    """Take back what `make_sockets` did."""
    if instance.sockets != instance.state and instance.sockets.exists():
        shutil.rmtree(instance.sockets)
        (instance.state / "run").unlink(missing_ok=True)


def make_folders(instance: Instance, ids: Ids) -> None:
    """Make every folder with its owner and mode, and put right what was changed."""
    root = 0
    folders: list[tuple[Path, int, int, int]] = [
        (instance.state, root, root, 0o755),
        (instance.etc, root, root, 0o755),
        (instance.etc / "postfix", root, root, 0o755),
        (instance.etc / "postfix" / "sql", root, root, 0o755),
        (instance.etc / "dovecot", root, root, 0o755),
        (instance.etc / "tls", root, root, 0o755),
        (instance.secrets, root, root, 0o711),
        (instance.log_dir, root, root, 0o750),
        (instance.run_dir, root, root, 0o755),
        (instance.run_dir / "cli", ids.panel, ids.group, 0o700),
        (instance.run_dir / "panel", ids.panel, ids.group, 0o700),
        (instance.run_dir / "worker", ids.panel, ids.group, 0o700),
        # Postfix connects to the policy service's socket; nobody else does.
        (instance.run_dir / "policy", ids.policy, ids.database_group, 0o2750),
        (instance.state / "spool", root, root, 0o755),
        (instance.state / "lib", root, root, 0o755),
        (instance.state / "lib" / "postfix", ids.postfix, root, 0o700),
        (instance.state / "lib" / "policy", ids.policy, root, 0o700),
        (instance.state / "lib" / "security", root, root, 0o700),
        # Who knows a path passes through; nobody lists it.
        (instance.vhosts, root, root, 0o711),
        (instance.storage, ids.mail, ids.mail_group, 0o700),
        (instance.vhosts / ".moving", root, root, 0o700),
        (instance.vhosts / ".graves", root, root, 0o700),
        # The panel writes; the storage user's processes read the attachments of automatic replies.
        (instance.state / "files", ids.panel, ids.mail_group, 0o2750),
        (instance.state / "program", root, root, 0o755),
        (instance.database.path.parent, ids.panel, ids.database_group, 0o2750),
    ]
    for path, uid, gid, mode in folders:
        path.mkdir(mode=0o700, parents=path == instance.state, exist_ok=True)
        found = path.stat()
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(path, uid, gid)
        if found.st_mode & 0o7777 != mode:
            path.chmod(mode)


def make_handler_policy(instance: Instance) -> None:
    """Write root's file on whom handlers of events may run as, if it is missing. From then on it is root's to edit."""
    if not instance.handler_policy.exists():
        write_file(instance.handler_policy, HANDLER_POLICY.format(user=instance.handler_user), mode=0o644)


def make_secrets(instance: Instance, ids: Ids, database_password: str | None, *, first: bool) -> None:
    """Make the secrets that are missing, each readable by the one who uses it.

    The administrator's password is made for the first set-up alone: whoever removes the file later wants it gone.
    """
    folder = instance.secrets
    if first:
        _keep(folder / "admin-password", lambda: secrets.token_urlsafe(15), mode=0o600)
    _keep(folder / "supervisor-password", lambda: secrets.token_hex(24), mode=0o600)
    _keep(folder / "signing-key", lambda: secrets.token_urlsafe(48), mode=0o640, gid=ids.group)
    _keep(folder / "sealing-key", lambda: secrets.token_hex(32), mode=0o640, gid=ids.group)
    if instance.database.server is None:
        return
    if database_password is not None:
        write_file(folder / "database-password", database_password + "\n", mode=0o640, gid=ids.group)
    # Hexadecimal, so that the daemons' configuration needs no quoting.
    _keep(folder / "lookup-password", lambda: secrets.token_hex(24), mode=0o600)
    policy = _keep(folder / "policy-password", lambda: secrets.token_hex(24), mode=0o600)
    url = instance.database.role_url(instance.database.policy_role, policy)
    write_file(folder / "policy-url", url + "\n", mode=0o600, uid=ids.policy)


def _keep(path: Path, make: Callable[[], str], *, mode: int, gid: int = 0) -> str:
    text = read_secret(path) if path.exists() else make()
    write_file(path, f"{text}\n", mode=mode, gid=gid)
    return text


def make_certificate(instance: Instance, ids: Ids) -> bool:
    """Make a self-signed certificate for the loopback names, unless one is there that lasts. Tells whether it did.

    The panel's user reads the key too: the panel speaks TLS itself.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    if instance.certificate.exists() and instance.certificate_key.exists():
        found = x509.load_pem_x509_certificate(instance.certificate.read_bytes())
        if found.not_valid_after_utc > now + datetime.timedelta(days=RENEW_DAYS):
            return False
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.DNSName(hostname()),
        x509.IPAddress(ipaddress.ip_address(instance.host)),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_file(instance.certificate_key, private.decode(), mode=0o640, gid=ids.group)
    write_file(instance.certificate, certificate.public_bytes(pem).decode(), mode=0o644)
    return True


def hostname() -> str:
    """The machine's own name, made fully qualified without asking the network."""
    name = socket.gethostname().lower().strip(".") or "localhost"
    return name if "." in name else f"{name}.localdomain"
