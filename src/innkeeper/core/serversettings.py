"""Settings of the whole server: names, defaults, and how they are stored.

`core_setting` holds only what was set, under the protocol's names; `svc_mail_outgoing` reads the outgoing limits there.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from innkeeper.core.errors import InvalidValue, NotSupported
from innkeeper.core.models import Setting
from innkeeper.core.operation import Operation

TEXT_LENGTH = 255
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting: its kind, what holds until it is set, and its bounds or choices."""

    kind: Literal["int", "bool", "choice", "text", "ipv4", "ipv6"]
    default: str
    least: int = 0
    most: int = 2**31 - 1
    choices: tuple[str, ...] = ()


PREFERENCES: dict[str, Declared] = {
    "max_connections": Declared("int", "0"),
    "max_connections_per_ip": Declared("int", "0"),
    "outgoing_email_mode": Declared("choice", "domain-ip", choices=("domain-ip", "domain-name", "explicit-ip")),
    "outgoing_email_mode_explicit_ipv4": Declared("ipv4", ""),
    "outgoing_email_mode_explicit_ipv6": Declared("ipv6", ""),
    "outgoing_antispam": Declared("bool", "true"),
    "outgoing_messages_mbox_limit": Declared("int", "-1", least=-1),
    "outgoing_messages_domain_limit": Declared("int", "-1", least=-1),
    "outgoing_messages_subscription_limit": Declared("int", "-1", least=-1),
    "enable_sendmail": Declared("bool", "true"),
    "report_period": Declared("choice", "P1W", choices=("P1D", "P1W", "P2W", "P1M")),
    "notification_period": Declared("choice", "P1D", choices=("PT15M", "PT1H", "PT6H", "PT12H", "P1D")),
    "stat_ttl": Declared("int", "3"),
    "include_remote_databases": Declared("bool", "true"),
    "traffic_accounting": Declared("choice", "3", choices=("1", "2", "3")),
    "restart_apache_interval": Declared("int", "0"),
    "apache_pipelog": Declared("bool", "false"),
    "ftp_over_ssl": Declared("choice", "enabled", choices=("disabled", "enabled", "required", "custom")),
    "mail_notifications": Declared("bool", "true"),
    "smtp_use_default_settings": Declared("bool", "true"),
    "smtp_host": Declared("text", ""),
    "smtp_port": Declared("int", "25", least=1, most=65535),
    "smtp_login": Declared("text", ""),
    "smtp_tls": Declared("bool", "false"),
    "smtp_allow_users": Declared("bool", "false"),
    "aps_force_updates": Declared("bool", "false"),
    "aps_suggest_updates": Declared("bool", "false"),
    "preview_protection": Declared("bool", "true"),
    "waf-rule-engine": Declared("choice", "off", choices=("on", "detection-only", "off")),
    "waf-rule-set": Declared("text", ""),
}
SETTINGS: dict[str, Declared] = PREFERENCES | {
    "login_timeout": Declared("int", "30", least=1, most=99999),
    "external-id": Declared("text", ""),
    "mode": Declared("choice", "standard", choices=("poweruser", "standard")),
    "server_guid": Declared("text", ""),
    "mail_retention_days": Declared("int", "14", least=1, most=3650),
    "hosting_retention_days": Declared("int", "7", least=1, most=3650),
    "event_retention_days": Declared("int", "30", least=1, most=3650),
}
BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}


def read_settings() -> dict[str, str]:
    """Every setting with its value, as text."""
    stored = dict(Setting.objects.values_list("name", "value"))
    return {name: stored.get(name, declared.default) for name, declared in SETTINGS.items()}


def read_setting(name: str) -> str:
    """One setting's value, as text."""
    row = Setting.objects.filter(name=name).first()
    return SETTINGS[name].default if row is None else row.value


def session_idle_minutes() -> int:
    """After how many minutes without a request a panel session ends."""
    return int(read_setting("login_timeout"))


def ensure_server_guid() -> str:
    """The GUID of this server, made with its database and kept for ever."""
    row, _ = Setting.objects.get_or_create(name="server_guid", defaults={"value": str(uuid.uuid4())})
    return row.value


def check_settings(values: Mapping[str, str]) -> dict[str, str]:
    """Settings by the protocol's names, in their stored form. Raises NotSupported, InvalidValue."""
    return {name: _checked(name, value) for name, value in values.items()}


def write_settings(operation: Operation, checked: Mapping[str, str]) -> dict[str, str]:
    """Store checked settings as part of an operation, with audit. Every setting as it was before."""
    before = read_settings()
    Setting.objects.bulk_create(
        [Setting(name=name, value=value) for name, value in checked.items()],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["value"],
    )
    operation.audit("server", 0, "settings", ", ".join(f"{name}={value}" for name, value in checked.items()))
    return before


def _checked(name: str, value: str) -> str:
    declared = SETTINGS.get(name)
    if declared is None or name == "server_guid":
        raise NotSupported(f"{name}: this server has no such setting. Leave it out.")
    text = value.strip()
    if declared.kind == "bool":
        if text.lower() not in BOOLEANS:
            raise InvalidValue(f"{name}: {value!r} is neither true nor false.", field=name)
        return BOOLEANS[text.lower()]
    if declared.kind == "int":
        if not re.fullmatch(r"[+-]?[0-9]{1,10}", text) or not declared.least <= int(text) <= declared.most:
            raise InvalidValue(
                f"{name}: {value!r} is out of range. Give {declared.least} to {declared.most}.", field=name
            )
        return str(int(text))
    if declared.kind == "choice" and text not in declared.choices:
        raise InvalidValue(f"{name}: {value!r} is unknown. Use one of {', '.join(declared.choices)}.", field=name)
    if declared.kind in ("ipv4", "ipv6") and text:
        try:
            return str(ipaddress.IPv4Address(text) if declared.kind == "ipv4" else ipaddress.IPv6Address(text))
        except ValueError:
            raise InvalidValue(f"{name}: {value!r} is not such an address.", field=name) from None
    if len(text) > TEXT_LENGTH or CONTROL.search(text):
        raise InvalidValue(f"{name}: use at most {TEXT_LENGTH} characters, none of control.", field=name)
    return text
