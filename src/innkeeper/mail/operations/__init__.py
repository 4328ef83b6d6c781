"""The changes that mail knows. Every door calls these, and nothing else changes mail."""

from innkeeper.mail.operations.checks import hash_ahead
from innkeeper.mail.operations.create import create_accounts
from innkeeper.mail.operations.preferences import set_preferences, set_service_enabled
from innkeeper.mail.operations.remove import (
    RETENTION,
    bury_site_accounts,
    move_site_graves,
    remove_accounts,
    set_retention,
)
from innkeeper.mail.operations.renamed import forwarded_to_domain, refuse_rings
from innkeeper.mail.operations.restore import restore_account
from innkeeper.mail.operations.scripts import refresh_site as refresh_site_replies
from innkeeper.mail.operations.update import rename_account, update_accounts
from innkeeper.mail.requests import (
    UNSET,
    AccountChange,
    AccountRef,
    Addresses,
    Attachment,
    CreateAccounts,
    Mode,
    NewAccount,
    NewFile,
    Password,
    Preferences,
    RemoveAccounts,
    RenameAccount,
    Replies,
    ReplyChange,
    RestoreAccount,
    Restored,
    Unset,
    UpdateAccounts,
)

__all__ = [
    "RETENTION",
    "UNSET",
    "AccountChange",
    "AccountRef",
    "Addresses",
    "Attachment",
    "CreateAccounts",
    "Mode",
    "NewAccount",
    "NewFile",
    "Password",
    "Preferences",
    "RemoveAccounts",
    "RenameAccount",
    "Replies",
    "ReplyChange",
    "RestoreAccount",
    "Restored",
    "Unset",
    "UpdateAccounts",
    "bury_site_accounts",
    "create_accounts",
    "forwarded_to_domain",
    "hash_ahead",
    "move_site_graves",
    "refresh_site_replies",
    "refuse_rings",
    "remove_accounts",
    "rename_account",
    "restore_account",
    "set_preferences",
    "set_retention",
    "set_service_enabled",
    "update_accounts",
]
