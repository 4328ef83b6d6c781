"""The words of a rule and the bits they stand for."""

from __future__ import annotations

from enum import IntFlag

from innkeeper.permissions.nt.rights import (
    CONTAINER_INHERIT,
    DELETE,
    DELETE_CHILD,
    FULL,
    INHERIT_ONLY,
    OBJECT_INHERIT,
    WRITE_ATTRIBUTES,
    WRITE_DAC,
    WRITE_EA,
    WRITE_OWNER,
)

# The requirement says three times that the folder itself gets the entry of a FilesOnly rule, and flag 0x80
# exists to take the folder out, so the value has no INHERIT_ONLY. Windows' own dialogs mean 0x9 by "files
# only".
FILES_ONLY = OBJECT_INHERIT

ACE_FLAGS = {
    "ThisObjectOnly": 0,
    "ThisFolderAndFiles": OBJECT_INHERIT,
    "FilesOnly": FILES_ONLY,
    "ThisFolderAndSubfolders": CONTAINER_INHERIT,
    "ThisFolderSubfoldersAndFiles": OBJECT_INHERIT | CONTAINER_INHERIT,
    "SubfoldersAndFilesOnly": OBJECT_INHERIT | CONTAINER_INHERIT | INHERIT_ONLY,
}

_REMOVABLE = WRITE_EA | DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER

ACCESS_MASKS = {
    "NoAccess": 0,
    "Read": 0x120089,
    # The requirement says "generic execute" but means Windows' "Read & Execute", as its tables show.
    "ReadAndExecute": 0x1200A9,
    "ReadAndDelete": 0x130089,
    "ReadWrite": 0x12019F,
    "Modify": 0x1301BF,
    "FullAccess": FULL,
    "FileRemovable": _REMOVABLE,
    "FileNonRemovable": FULL & ~(_REMOVABLE | WRITE_ATTRIBUTES),
    "FtpSubaccountsNonRemovable": 0x000156,
}

# A grant of these two would give away what their names promise to keep; they only make sense in deny rules.
MEANT_FOR_DENY = ("FileRemovable", "FtpSubaccountsNonRemovable")

TAGS = (
    "FtpSubaccounts",
    "PsaAdmin",
    "psaServer",
    "DomainUser",
    "AnonymousDomainUser",
    "ParentUser",
    "AnonymousParentUser",
)

# The account name that a template uses for "the account that Tag names".
PLACEHOLDER = "Null"


class EntryFlag(IntFlag):
    """The bits of EntryFlags."""

    DENY = 0x1
    PARENTS = 0x2
    BREAK_INHERITANCE = 0x4
    CONTINUE_ON_ERROR = 0x8
    NO_PROPAGATION = 0x10
    LEAVE_ALONE = 0x20
    CREATE_FOLDERS = 0x40
    FILES_OF_FOLDER = 0x80
    STRICT = 0x100


ALL_ENTRY_FLAGS = 0x1FF


def tag_named(text: str) -> str | None:
    """The tag in its usual spelling; case is not significant."""
    folded = text.casefold()
    return next((tag for tag in TAGS if tag.casefold() == folded), None)


def mask_name(mask: int) -> str:
    """The symbolic name of a mask, or its bits in hexadecimal."""
    return next((name for name, bits in ACCESS_MASKS.items() if bits == mask), f"0x{mask:x}")


def ace_flags_name(flags: int) -> str:
    """The symbolic name of inheritance flags, or their bits in hexadecimal."""
    return next((name for name, bits in ACE_FLAGS.items() if bits == flags), f"0x{flags:x}")
