"""Changes of webspaces and sites. Nothing outside this package writes their rows."""

from innkeeper.hosting.operations.disk_space import tell_reached_limits
from innkeeper.hosting.operations.expiration import expire_webspaces
from innkeeper.hosting.operations.ftp_accounts import create_ftp_account, remove_ftp_account, update_ftp_account
from innkeeper.hosting.operations.removal import remove_site, remove_webspace, remove_webspaces
from innkeeper.hosting.operations.sites import create_site, update_site
from innkeeper.hosting.operations.status import inherit_status
from innkeeper.hosting.operations.trees import (
    RemovedTree,
    Restored,
    places_of,
    removed_trees,
    restore_files,
    set_hosting_retention,
)
from innkeeper.hosting.operations.web_users import (
    create_web_user,
    remove_web_user,
    set_web_user_scripts,
    update_web_user,
)
from innkeeper.hosting.operations.webspaces import create_webspace, update_webspace

__all__ = [
    "RemovedTree",
    "Restored",
    "create_ftp_account",
    "create_site",
    "create_web_user",
    "create_webspace",
    "expire_webspaces",
    "inherit_status",
    "places_of",
    "remove_ftp_account",
    "remove_site",
    "remove_web_user",
    "remove_webspace",
    "remove_webspaces",
    "removed_trees",
    "restore_files",
    "set_hosting_retention",
    "set_web_user_scripts",
    "tell_reached_limits",
    "update_ftp_account",
    "update_site",
    "update_web_user",
    "update_webspace",
]
