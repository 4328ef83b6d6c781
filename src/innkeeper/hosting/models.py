"""Sites, the webspaces that carry them, and their settings."""

from __future__ import annotations

from django.db import models

from innkeeper.accounts.models import Account, new_guid
from innkeeper.network.models import IPAddress


class Site(models.Model):
    """A domain with its services. The main site of a webspace has the webspace's id.

    `status` is the protocol's sum of flags: 2 through the webspace or the owner, 8 web service only, 16 by the
    administrator, 32 by the reseller, 64 by the customer.
    """

    class Hosting(models.TextChoices):
        NONE = "none"
        VIRTUAL = "vrt_hst"
        FORWARDING = "std_fwd"
        FRAME_FORWARDING = "frm_fwd"

    guid = models.CharField(max_length=36, unique=True, default=new_guid)
    webspace = models.ForeignKey("Webspace", models.CASCADE, related_name="sites", null=True)
    parent = models.ForeignKey("self", models.CASCADE, related_name="subdomains", null=True)
    name = models.CharField(max_length=255)
    ascii_name = models.CharField(max_length=255, unique=True)
    status = models.PositiveIntegerField(default=0)
    turn_off_action = models.CharField(max_length=8, default="", blank=True)
    hosting_type = models.CharField(max_length=8, choices=Hosting.choices, default=Hosting.NONE)
    forwarding_url = models.CharField(max_length=255, default="", blank=True)
    forwarding_code = models.PositiveIntegerField(null=True)
    www = models.BooleanField(default=True)
    statistics_months = models.PositiveIntegerField(null=True)
    bandwidth = models.BigIntegerField(default=-1)
    max_connections = models.BigIntegerField(default=-1)
    description = models.TextField(default="", blank=True)
    used_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["name"], name="site_name")]


class Webspace(models.Model):
    """A subscription: what an owner may use. It shares its id with its main site."""

    site = models.OneToOneField(Site, models.CASCADE, primary_key=True, related_name="main_of")
    guid = models.CharField(max_length=36, unique=True, default=new_guid)
    owner = models.ForeignKey(Account, models.PROTECT, related_name="webspaces")
    external_id = models.CharField(max_length=255, null=True, unique=True)
    ipv4 = models.ForeignKey(IPAddress, models.PROTECT, null=True, related_name="+")
    ipv6 = models.ForeignKey(IPAddress, models.PROTECT, null=True, related_name="+")
    ftp_login = models.CharField(max_length=32, null=True, unique=True)
    ftp_password = models.CharField(max_length=160, default="", blank=True)
    overuse = models.CharField(max_length=24, default="block")
    admin_description = models.TextField(default="", blank=True)
    reseller_description = models.TextField(default="", blank=True)
    outgoing_limit = models.CharField(max_length=16, default="default")


class HostingProperty(models.Model):
    """One virtual-hosting setting of a site, by the protocol's name."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="properties")
    name = models.CharField(max_length=64)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint("site", "name", name="hosting_property")]


class WebspaceLimit(models.Model):
    """One limit of a webspace; -1 is unlimited. `told` is the limit of which an event said that use reached it."""

    webspace = models.ForeignKey(Webspace, models.CASCADE, related_name="limits")
    name = models.CharField(max_length=64)
    value = models.BigIntegerField()
    told = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("webspace", "name", name="webspace_limit")]


class WebspacePermission(models.Model):
    """One permission of a webspace's owner on that webspace."""

    webspace = models.ForeignKey(Webspace, models.CASCADE, related_name="permissions")
    name = models.CharField(max_length=64)
    value = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint("webspace", "name", name="webspace_permission")]


class PHPSetting(models.Model):
    """One PHP setting of a webspace."""

    webspace = models.ForeignKey(Webspace, models.CASCADE, related_name="php_settings")
    name = models.CharField(max_length=64)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint("webspace", "name", name="webspace_php_setting")]


class WebUser(models.Model):
    """Somebody with a home page below a domain, and a system user of his own. `services` are the scripts he may run."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="web_users")
    login = models.CharField(max_length=32, unique=True)
    password = models.CharField(max_length=160, default="", blank=True)
    quota_bytes = models.BigIntegerField(default=-1)
    services = models.JSONField(default=dict)
    created_at = models.DateTimeField()


class FTPAccount(models.Model):
    """An additional FTP account of a webspace, with a system user of its own. `home` lies below the webspace's root."""

    webspace = models.ForeignKey(Webspace, models.CASCADE, related_name="ftp_accounts")
    name = models.CharField(max_length=32, unique=True)
    password = models.CharField(max_length=160, default="", blank=True)
    home = models.CharField(max_length=255, default="", blank=True)
    quota_bytes = models.BigIntegerField(default=-1)
    may_read = models.BooleanField(default=True)
    may_write = models.BooleanField(default=True)
    created_at = models.DateTimeField()


class SubdomainUser(models.Model):
    """The system user of a subdomain that is not its domain's."""

    site = models.OneToOneField(Site, models.CASCADE, primary_key=True, related_name="own_user")
    login = models.CharField(max_length=32, unique=True)
    password = models.CharField(max_length=160, default="", blank=True)
    quota_bytes = models.BigIntegerField(default=-1)


class PlacedUser(models.Model):
    """A system user that was asked for on the machine. The row comes before the user and goes after it."""

    key = models.CharField(max_length=16, primary_key=True)
    webspace_id = models.BigIntegerField(db_index=True)
    is_done = models.BooleanField(default=False)


class PlacedTree(models.Model):
    """A hosting account's tree that was asked for on the machine, as it was asked for last.

    The row comes before the tree and goes after it, and outlives the account's own row. `wanted_as` is the account in
    JSON; a tree whose account is another by now is moved, and gets its rules again.
    """

    key = models.CharField(max_length=16, primary_key=True)
    webspace_id = models.BigIntegerField(db_index=True)
    wanted_as = models.TextField()
    is_done = models.BooleanField(default=False)


class FileWork(models.Model):
    """Work on a site's files that may take minutes: what was asked for, how far it has come, what came of it.

    `wanted` is hostd's request, `asked_by` the actor, `come` and `result` what hostd tells; all in JSON. `refusal` is
    hostd's code for why it was not done, `limit` what belongs to that. `is_told` says that somebody saw its end.
    """

    site = models.ForeignKey(Site, models.CASCADE, related_name="+")
    op = models.CharField(max_length=32)
    wanted = models.TextField()
    asked_by = models.TextField()
    detail = models.TextField()
    attempts = models.PositiveIntegerField(default=0)
    come = models.TextField(default="{}")
    result = models.TextField(default="null")
    refusal = models.CharField(max_length=32, default="", blank=True)
    limit = models.TextField(default="", blank=True)
    is_stopped = models.BooleanField(default=False)
    is_told = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, db_index=True)
