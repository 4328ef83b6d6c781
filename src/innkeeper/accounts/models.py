"""Panel accounts, their secret keys and failed log-ins."""

from __future__ import annotations

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models.functions import Lower


def new_guid() -> str:
    """A GUID as the protocol writes it: 36 characters, lower case."""
    return str(uuid.uuid4())


class Account(AbstractBaseUser):
    """The administrator, a reseller or a customer: somebody who logs in and owns webspaces.

    `status` is the protocol's sum of flags (0 active; 2 through the owner, 16 by the administrator, 32 by the
    reseller, 64 by the customer). `password` holds an ARGON2ID string.
    """

    class Kind(models.TextChoices):
        ADMINISTRATOR = "admin"
        RESELLER = "reseller"
        CUSTOMER = "customer"

    password = models.CharField(max_length=160)
    guid = models.CharField(max_length=36, unique=True, default=new_guid)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    login = models.CharField(max_length=60)
    owner = models.ForeignKey("self", models.PROTECT, null=True, related_name="clients")
    status = models.PositiveIntegerField(default=0)
    contact_name = models.CharField(max_length=60)
    company_name = models.CharField(max_length=60, default="", blank=True)
    phone = models.CharField(max_length=30, default="", blank=True)
    fax = models.CharField(max_length=30, default="", blank=True)
    email = models.CharField(max_length=255, default="", blank=True)
    street_address = models.CharField(max_length=255, default="", blank=True)
    city = models.CharField(max_length=50, default="", blank=True)
    state = models.CharField(max_length=25, default="", blank=True)
    postal_code = models.CharField(max_length=10, default="", blank=True)
    country = models.CharField(max_length=2, default="", blank=True)
    locale = models.CharField(max_length=16, default="en", blank=True)
    external_id = models.CharField(max_length=255, null=True)
    description = models.TextField(default="", blank=True)
    may_use_api = models.BooleanField(default=True)
    multiple_sessions = models.BooleanField(default=True)
    send_announce = models.BooleanField(default=False)
    color_scheme = models.CharField(max_length=8, default="auto")
    created_at = models.DateTimeField()

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("login"), name="account_login"),
            models.UniqueConstraint("kind", "external_id", name="account_external_id"),
        ]


class SecretKey(models.Model):
    """A secret key of the XML API. Only a SHA-256 of the key is stored; the key is shown once, at its creation.

    `addresses` holds the client addresses it is bound to, separated by commas.
    """

    key_hash = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="secret_keys")
    addresses = models.TextField()
    description = models.TextField(default="", blank=True)
    created_at = models.DateTimeField()


class LatestLogin(models.Model):
    """The mark of somebody's latest panel session, which alone counts of those who may have no more than one.

    `kind` is the actor's; a mail user is no account here.
    """

    kind = models.CharField(max_length=16)
    account_id = models.BigIntegerField()
    mark = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint("kind", "account_id", name="latest_login")]


class LoginFailure(models.Model):
    """Failed log-ins of one login from one address. A lock never reaches another address."""

    login = models.CharField(max_length=320)
    address = models.CharField(max_length=45)
    failures = models.PositiveIntegerField()
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("login", "address", name="login_failure")]
