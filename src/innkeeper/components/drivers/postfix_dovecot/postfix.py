"""Postfix's files: main.cf, master.cf and one look-up file for each map."""

from __future__ import annotations

from urllib.parse import quote

from innkeeper.components.drivers.postfix_dovecot.layout import File, Layout, Lookup
from innkeeper.components.drivers.postfix_dovecot.lookups import UNLIMITED, select
from innkeeper.components.drivers.postfix_dovecot.mailboxes import MAILBOX

REWRITERS = 10
"""Most processes that resolve addresses, each with a connection to PostgreSQL or two."""

BOUNCE_DOMAIN = "bounce.invalid"
"""Unknown addresses of a site that bounces are rewritten to `site-ID@` this, whose transport is the site's text."""

# `%s` and never `%u` or `%d`, which suppress the query for keys of the form @domain; but for `plain` and `ours`, which
# want that: Postfix tries a recipient's address, then its domain and more, and the address alone answers.
QUERIES = {
    "domains": ("1", "svc_mail_domain", "'%s'"),
    "plain": (f"CASE quota_rule WHEN '{UNLIMITED}' THEN 'OK' ELSE 'bounded' END", "svc_mail_mailbox", "'%u@%d'"),
    "ours": ("'ours'", "svc_mail_domain", "'%d'"),
    "recipients": ("1", "svc_mail_recipient", "'%s'"),
    "mailboxes": ("address", "svc_mail_mailbox", "'%s'"),
    "aliases": ("target", "svc_mail_alias", "'%s'"),
    "catchall": ("target", "svc_mail_catchall", "'%s'"),
    "bounce": ("target", "svc_mail_bounce", "'%s'"),
    "transport": ("transport", "svc_mail_transport", "'%s'"),
    "senders": ("login", "svc_mail_sender", "'%s'"),
}
"""What each map asks for: columns, view and key."""


# Postfix's own says us-ascii, and the text of a site would come back with question marks in it.
BOUNCE_CF = """\
# Written by Innkeeper; changes made here are overwritten.
failure_template = <<EOF
Charset: utf-8
From: MAILER-DAEMON (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Postmaster-Subject: Postmaster Copy: Undelivered Mail

This is the mail system at host $myhostname.

Your message could not be delivered to the addresses below. Beside each
stands why, and your message is attached.

EOF
"""


def files(layout: Layout) -> list[File]:
    """main.cf, master.cf and the look-up files."""
    return [
        File("postfix/main.cf", main_cf(layout)),
        File("postfix/master.cf", master_cf(layout)),
        File("postfix/bounce.cf", BOUNCE_CF),
        *(File(f"postfix/sql/{name}.cf", lookup_cf(layout.lookup, name), private=True) for name in QUERIES),
    ]


def lookup_cf(lookup: Lookup, name: str) -> str:
    """One map over the panel's database."""
    if lookup.path:
        lines = [f"dbpath = {lookup.path}"]
    else:
        lines = [
            f"hosts = {_postgresql_host(lookup)}",
            f"dbname = {lookup.name}",
            f"user = {lookup.role}",
            f"password = {lookup.password}",
        ]
    query = select(lookup.driver, *QUERIES[name])
    if name == "transport" and not lookup.path:
        # Postfix asks PostgreSQL for LATIN1, in which a text may have no place; this gives it the bytes of UTF-8.
        query = query.replace("transport", "convert_from(convert_to(transport, 'UTF8'), 'LATIN1')", 1)
    lines.append(f"query = {query}")
    if name == "transport":
        # Every address that Postfix resolves is looked up here; this spares all but the bounces the query.
        lines.append(f"domain = {BOUNCE_DOMAIN}")
    return "\n".join(lines) + "\n"


def _postgresql_host(lookup: Lookup) -> str:
    """The server as Postfix takes it."""
    if lookup.host.startswith("/"):
        # Postfix's own form for a socket, `unix:FOLDER`, has no place for a port: it would belong to the folder's name.
        role, password, name, folder = (
            quote(part, safe="") for part in (lookup.role, lookup.password, lookup.name, lookup.host)
        )
        return f"postgresql://{role}:{password}@/{name}?host={folder}&port={lookup.port}"
    # libpq takes "localhost" for its default socket folder, whatever the port says.
    host = "127.0.0.1" if lookup.host == "localhost" else lookup.host
    return f"inet:{host}:{lookup.port}"


def _map(layout: Layout, name: str) -> str:
    # proxy: bounds the connections to PostgreSQL. For SQLite it only costs: 150 instead of 250 messages a second.
    proxy = "proxy:" if layout.lookup.driver == "pgsql" else ""
    return proxy + _direct(layout, name)


def _direct(layout: Layout, name: str) -> str:
    return f"{layout.lookup.driver}:${{config_directory}}/sql/{name}.cf"


def _rewriter_options(layout: Layout) -> str:
    """A few of these processes serve everybody, so they do without proxymap, which costs more than the look-up."""
    if layout.lookup.driver != "pgsql":
        return ""
    maps = {"virtual_mailbox_domains": "domains", "transport_maps": "transport"}
    return "".join(f"\n  -o {setting}={_direct(layout, name)}" for setting, name in maps.items())


def main_cf(layout: Layout) -> str:
    """Postfix's main configuration."""
    # The first map that knows an address answers for it, and most addresses are plain mailboxes.
    known = ", ".join(_map(layout, name) for name in ("mailboxes", "aliases", "catchall"))
    maps = {name: _map(layout, name) for name in QUERIES}
    proxied = " ".join(maps.values())
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
compatibility_level = 3.6
myhostname = {layout.hostname}
mydestination =
mynetworks =
inet_interfaces = {layout.host}
inet_protocols = ipv4
queue_directory = {layout.spool}
data_directory = {layout.data}
maillog_file = {layout.log}/postfix.log
maillog_file_prefixes = {layout.log}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C {layout.environment_mark}
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:5.1.1 this server has no local accounts
default_transport = error:5.7.1 outbound mail is off in this private instance
notify_classes =
bounce_template_file = ${{config_directory}}/bounce.cf
smtputf8_enable = no
disable_vrfy_command = yes
recipient_delimiter = +
message_size_limit = 52428800
# A delivery that waits for a restarted daemon is tried again soon.
queue_run_delay = 30s
# A process that died of a look-up is started again after this, not after a minute.
service_throttle_time = 5s
minimal_backoff_time = 30s
maximal_backoff_time = 600s

proxy_read_maps = {proxied}
# By default every address map, which would be asked for the domain of each address.
virtual_alias_domains =
virtual_mailbox_domains = {maps["domains"]}
virtual_mailbox_maps = {maps["recipients"]}
virtual_alias_maps = {known}, {maps["bounce"]}
virtual_alias_expansion_limit = 10000
virtual_transport = lmtp:unix:private/dovecot-lmtp
virtual_mailbox_limit = 0
transport_maps = {maps["transport"]}
# At submission an unknown address is refused, never bounced: the sender is there to be told.
submission_alias_maps = {known}
smtpd_sender_login_maps = {maps["senders"]}

# Asked for room in the mailboxes behind a recipient, with the size that the client declares, and again for a message
# that came without one; and for the hourly limit of a sender. When it is away mail passes: Dovecot refuses what does
# not fit into a mailbox, and a limit is not worth the mail of everybody.
mail_policy = check_policy_service {{ unix:{layout.policy_socket},
    timeout=5s, try_limit=1, default_action=DUNNO }}
smtpd_helo_required = no
parent_domain_matches_subdomains =
smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unlisted_recipient, $mail_policy
smtpd_end_of_data_restrictions = $mail_policy
# Mail from outside. Most recipients are mailboxes that pass nothing on: one look-up knows them, so that the policy
# service needs none. The others must belong to a domain that is ours at this moment.
smtpd_restriction_classes = bounded, ours
bounded = check_policy_service {{ unix:{layout.policy_socket}, policy_context={MAILBOX},
    timeout=5s, try_limit=1, default_action=DUNNO }}, permit
ours = reject_unlisted_recipient, $mail_policy, permit
incoming_restrictions = reject_non_fqdn_recipient, check_recipient_access {maps["plain"]},
    check_recipient_access {maps["ours"]},
    check_recipient_access static:{{554 5.7.1 This server takes no mail for the domain}}, reject
smtpd_forbid_bare_newline = yes
smtpd_client_event_limit_exceptions = 127.0.0.0/8

smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_security_level = may
smtpd_tls_chain_files = {layout.certificate_key}, {layout.certificate}
smtpd_tls_session_cache_database =
"""


def master_cf(layout: Layout) -> str:
    """Postfix's processes. None is chrooted: SQLite opens its WAL files after the chroot and would not find them."""
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
{layout.host}:{layout.smtp_port} inet n - n - - smtpd
  -o rewrite_service_name=incoming
  -o smtpd_recipient_restrictions=$incoming_restrictions
  -o smtpd_relay_restrictions=
  -o smtpd_reject_unlisted_recipient=no
{layout.host}:{layout.submission_port} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o virtual_alias_maps=$submission_alias_maps
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o {{ smtpd_relay_restrictions = permit_sasl_authenticated, reject }}
  -o smtpd_data_restrictions=$mail_policy
# Replies of Dovecot's. A socket, so that the file system says who may open it.
reply unix n - n - - smtpd
  -o syslog_name=postfix/reply
  -o mynetworks=127.0.0.0/8
  -o {{ smtpd_relay_restrictions = permit_mynetworks, reject }}
  -o smtpd_recipient_restrictions=
  -o smtpd_end_of_data_restrictions=
  -o smtpd_tls_security_level=none
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - {REWRITERS} trivial-rewrite{_rewriter_options(layout)}
# For mail from outside, where the restrictions ask whether a domain is ours. What is not is refused there, so its
# recipients are resolved as if each were: no look-up, and nothing to remember that may change.
incoming unix - - n - {REWRITERS} trivial-rewrite
  -o virtual_mailbox_domains=static:ours
  -o transport_maps=
# Addresses are ASCII here (smtputf8_enable), but a site's text for unknown addresses may be anything.
bounce unix - - n - 0 bounce -o smtputf8_enable=yes
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error -o smtputf8_enable=yes
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
