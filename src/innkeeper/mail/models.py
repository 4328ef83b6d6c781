"""The mail service of a site and its mail accounts.

Postfix and Dovecot read these tables through the `svc_*` views: a migration that touches them drops those views
first and creates them last.
"""

from __future__ import annotations

import secrets

from django.db import models

from innkeeper.hosting.models import Site


def new_storage_key() -> str:
    """Where an account's mail lies: random, and so never used again. Renaming an account moves no file."""
    return secrets.token_hex(16)


class MailService(models.Model):
    """Mail of one site: on or off, and what happens to mail for unknown addresses.

    `domain_key` (`@domain`) and `bounce_address` are stored because a look-up by an expression scans the table.
    """

    class UnknownAction(models.TextChoices):
        REJECT = "reject"
        BOUNCE = "bounce"
        FORWARD = "forward"

    site = models.OneToOneField(Site, models.CASCADE, primary_key=True, related_name="mail_service")
    domain_key = models.CharField(max_length=256, unique=True)
    bounce_address = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    unknown_action = models.CharField(max_length=8, choices=UnknownAction.choices, default=UnknownAction.REJECT)
    bounce_text = models.TextField(default="", blank=True)
    forward_address = models.CharField(max_length=320, default="", blank=True)
    webmail = models.CharField(max_length=64, default="none")
    sign_outgoing = models.BooleanField(default=False)
    greylisting = models.BooleanField(default=False)
    webmail_certificate = models.CharField(max_length=255, default="", blank=True)


class MailAccount(models.Model):
    """A mail account ("mail name"). Its name stands in `MailName`, which it shares with its aliases.

    `quota` is in bytes, -1 is unlimited. `password` is a hash with Dovecot's scheme prefix, empty if none was set.
    `outgoing_limit` is messages an hour, -1 without limit, null for the server's default. `used_bytes` and
    `last_login_at` are kept by a job.
    """

    class Antivirus(models.TextChoices):
        OFF = "off"
        BOTH = "inout"
        INCOMING = "in"
        OUTGOING = "out"

    guid = models.CharField(max_length=36, unique=True)
    site = models.ForeignKey(Site, models.CASCADE, related_name="mail_accounts")
    storage = models.CharField(max_length=32, unique=True, default=new_storage_key)
    password = models.CharField(max_length=255, default="", blank=True)
    mailbox_enabled = models.BooleanField(default=False)
    quota = models.BigIntegerField(default=-1)
    redirect_enabled = models.BooleanField(default=False)
    group_enabled = models.BooleanField(default=False)
    autoresponders_enabled = models.BooleanField(default=False)
    cp_access = models.BooleanField(default=False)
    cp_options = models.TextField(default="{}")
    permissions = models.TextField(default="{}")
    antivir = models.CharField(max_length=8, choices=Antivirus.choices, default=Antivirus.OFF)
    outgoing_limit = models.BigIntegerField(null=True)
    user_guid = models.CharField(max_length=36, default="", blank=True)
    description = models.CharField(max_length=255, default="", blank=True)
    color_scheme = models.CharField(max_length=8, default="auto")
    used_bytes = models.BigIntegerField(default=0)
    last_login_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["used_bytes", "id"], name="mail_used"),
            models.Index(fields=["last_login_at", "id"], name="mail_last_login"),
        ]


class MailName(models.Model):
    """A local part of a site: of an account or of an alias. One name space, so UNIQUE (site, local part).

    `address` repeats both in lower-case ASCII on purpose: every look-up of the daemons is one indexed equality.
    """

    class Kind(models.TextChoices):
        ACCOUNT = "account"
        ALIAS = "alias"

    site = models.ForeignKey(Site, models.CASCADE, related_name="mail_names", db_index=False)
    local_part = models.CharField(max_length=64)
    address = models.CharField(max_length=320, unique=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    account = models.ForeignKey(MailAccount, models.CASCADE, related_name="names")

    class Meta:
        constraints = [
            models.UniqueConstraint("site", "local_part", name="mail_name"),
            models.UniqueConstraint("account", name="mail_account_name", condition=models.Q(kind="account")),
        ]


class Recipient(models.Model):
    """An address that an account passes mail on to: as a redirect, or as a member of its mail group."""

    class Kind(models.TextChoices):
        REDIRECT = "redirect"
        GROUP = "group"

    account = models.ForeignKey(MailAccount, models.CASCADE, related_name="recipients", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    address = models.CharField(max_length=320, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint("account", "kind", "address", name="mail_recipient_unique")]


class RepositoryFile(models.Model):
    """A file that an account keeps for its automatic replies. The content lies in the file store by its SHA-256."""

    account = models.ForeignKey(MailAccount, models.CASCADE, related_name="files", db_index=False)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint("account", "name", name="repository_file")]


class Autoresponder(models.Model):
    """One automatic reply. Of several that match a message, the first in `position` answers."""

    class KeyWhere(models.TextChoices):
        SUBJECT = "subj"
        BODY = "body"
        ALWAYS = "no"

    account = models.ForeignKey(MailAccount, models.CASCADE, related_name="autoresponders", db_index=False)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    enabled = models.BooleanField(default=False)
    key = models.CharField(max_length=255, default="", blank=True)
    key_where = models.CharField(max_length=4, choices=KeyWhere.choices, default=KeyWhere.ALWAYS)
    subject = models.TextField(default="", blank=True)
    reply_to = models.CharField(max_length=320, default="", blank=True)
    content_type = models.CharField(max_length=16, default="text/plain")
    charset = models.CharField(max_length=64, default="UTF-8")
    text = models.TextField(default="", blank=True)
    answers_per_day = models.PositiveIntegerField(null=True)
    remembered_senders = models.PositiveIntegerField(null=True)
    forward = models.CharField(max_length=320, default="", blank=True)
    start_date = models.DateField(null=True)
    end_date = models.DateField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("account", "name", name="autoresponder_name")]


class AutoresponderAttachment(models.Model):
    """A repository file that goes with an automatic reply."""

    autoresponder = models.ForeignKey(Autoresponder, models.CASCADE, related_name="attachments")
    file = models.ForeignKey(RepositoryFile, models.CASCADE, related_name="+")


class SieveScript(models.Model):
    """What Dovecot runs for an account's automatic replies, rendered from its `Autoresponder` rows.

    `revision` rises with every change: Dovecot keeps compiled scripts by the id made of it.
    """

    account = models.OneToOneField(MailAccount, models.CASCADE, primary_key=True, related_name="sieve_script")
    revision = models.PositiveIntegerField(default=1)
    active = models.BooleanField(default=False)
    script = models.TextField(default="", blank=True)


class Grave(models.Model):
    """The storage of a removed account, kept until `due_at`, then deleted. Until then the account can come back.

    `snapshot` is a JSON object of what is needed for that. `site_id` is no foreign key: a grave outlives its site.
    """

    storage = models.CharField(max_length=32, unique=True)
    site_id = models.BigIntegerField()
    address = models.CharField(max_length=320, db_index=True)
    snapshot = models.TextField()
    buried_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
