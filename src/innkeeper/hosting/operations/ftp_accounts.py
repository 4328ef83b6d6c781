"""Create, change and remove additional FTP accounts of webspaces."""

from __future__ import annotations

from django.utils import timezone

from innkeeper.core import names
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, NotAllowed
from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import FTPAccount, Site
from innkeeper.hosting.operations.logins import check_password, check_quota, require_free_login, require_room
from innkeeper.hosting.operations.webspaces import lock_webspace
from innkeeper.hosting.queries import find_ftp_account, find_webspace, permits
from innkeeper.hosting.requests import FTPAccountChanges, NewFTPAccount
from innkeeper.jobs.effects import make_home, place_hosting


def create_ftp_account(actor: Actor, request: NewFTPAccount) -> FTPAccount:
    """Create an additional FTP account of a webspace with virtual hosting.

    Raises NotFound, NotAllowed, AlreadyExists, LimitReached, InvalidValue.
    """
    webspace = find_webspace(actor, id=request.webspace_id)
    _require_right(actor, webspace.pk)
    name = names.system_user(request.name, field="name")
    check_quota(request.quota_bytes, field="quota")
    home = catalogue.clean_folder("home", request.home, made=request.makes_home)
    password = check_password(request.password, name, crypt=False)
    with Operation(actor, "ftpuser.create") as operation:
        webspace = lock_webspace(webspace.pk)
        if webspace.site.hosting_type != Site.Hosting.VIRTUAL:
            raise InvalidValue(
                f"webspace-id: {webspace.site.name} has no virtual hosting. Name a webspace that has.",
                field="webspace-id",
            )
        require_free_login(name, field="name")
        require_room(webspace.pk, "max_subftp_users", FTPAccount.objects.filter(webspace=webspace).count())
        account = FTPAccount.objects.create(
            webspace=webspace,
            name=name,
            password=password,
            home=home,
            quota_bytes=request.quota_bytes,
            may_read=request.may_read,
            may_write=request.may_write,
            created_at=timezone.now(),
        )
        operation.audit("ftpuser", account.pk, name)
        secrets = {"system_user_password": request.password}
        operation.event(events.FTPUSER_CREATE, account.pk, new=_described(account), secrets=secrets)
        place_hosting(webspace.pk)
        if request.makes_home:
            make_home(webspace.pk, home)
    return account


def update_ftp_account(actor: Actor, account_id: int, changes: FTPAccountChanges) -> FTPAccount:
    """Change an FTP account. Raises NotFound, NotAllowed, AlreadyExists, InvalidValue."""
    account = find_ftp_account(actor, account_id)
    _require_right(actor, account.webspace_id)
    name = None if changes.name is None else names.system_user(changes.name, field="name")
    check_quota(changes.quota_bytes, field="quota")
    home = None
    if changes.home is not None:
        home = catalogue.clean_folder("home", changes.home, made=changes.makes_home)
    password = None
    if changes.password is not None:
        password = check_password(changes.password, name or account.name, crypt=False)
    with Operation(actor, "ftpuser.update") as operation:
        lock_webspace(account.webspace_id)
        account = find_ftp_account(actor, account_id)
        before = _described(account)
        if name is not None and name != account.name:
            require_free_login(name, field="name", kept_by=account)
        for column, value in (
            ("name", name),
            ("password", password),
            ("home", home),
            ("quota_bytes", changes.quota_bytes),
            ("may_read", changes.may_read),
            ("may_write", changes.may_write),
        ):
            if value is not None:
                setattr(account, column, value)
        account.save()
        operation.audit("ftpuser", account.pk, account.name)
        secrets = {"system_user_password": changes.password} if changes.password else {}
        operation.event(events.FTPUSER_UPDATE, account.pk, old=before, new=_described(account), secrets=secrets)
        if home is not None and changes.makes_home:
            make_home(account.webspace_id, home)
    return account


def remove_ftp_account(actor: Actor, account_id: int) -> None:
    """Remove an FTP account. What lies in its home stays. Raises NotFound, NotAllowed."""
    account = find_ftp_account(actor, account_id)
    _require_right(actor, account.webspace_id)
    with Operation(actor, "ftpuser.remove") as operation:
        lock_webspace(account.webspace_id)
        account = find_ftp_account(actor, account_id)
        record_ftp_accounts_end(operation, [account])
        account.delete()
        place_hosting(account.webspace_id)


def record_ftp_accounts_end(operation: Operation, accounts: list[FTPAccount]) -> None:
    """Audit and events of FTP accounts that go. Call it before their rows go."""
    for account in accounts:
        operation.audit("ftpuser", account.pk, account.name)
        operation.event(
            events.FTPUSER_DELETE,
            account.pk,
            old={"domain_name": account.webspace.site.name, "system_user": account.name},
        )


def _require_right(actor: Actor, webspace_id: int) -> None:
    if not permits(actor, webspace_id, "manage_subftp"):
        raise NotAllowed("Permission denied: ask your provider for the right to manage FTP accounts.")


def _described(account: FTPAccount) -> dict[str, object]:
    return {
        "domain_name": account.webspace.site.name,
        "system_user": account.name,
        "hard_disk_quota": account.quota_bytes,
        "home_directory": f"/{account.home}",
        "read_permission": "true" if account.may_read else "false",
        "write_permission": "true" if account.may_write else "false",
    }
