"""Changes of webspaces and sites. Nothing outside this package writes their rows."""

from innkeeper.hosting.operations.removal import remove_site, remove_webspace, remove_webspaces
from innkeeper.hosting.operations.sites import create_site, update_site
from innkeeper.hosting.operations.status import inherit_status
from innkeeper.hosting.operations.webspaces import create_webspace, update_webspace

__all__ = [
    "create_site",
    "create_webspace",
    "inherit_status",
    "remove_site",
    "remove_webspace",
    "remove_webspaces",
    "update_site",
    "update_webspace",
]
