"""Dovecot's files: dovecot.conf, the SQL look-ups and the dictionary of automatic replies."""

from __future__ import annotations

from innkeeper.components.drivers.postfix_dovecot.layout import File, Layout, Lookup
from innkeeper.components.drivers.postfix_dovecot.lookups import select

DATABASE_GROUP = "postfix"
"""The group that may read the SQLite file and the look-up files; Dovecot's look-up processes are given it."""

MAX_SCRIPT_BYTES = 256 * 1024
"""A dictionary value of 300 kB passes, one of 400 kB breaks the connection and takes the delivery with it."""

SIEVE_BEFORE = "dict:proxy::sieve;name=autoresponder;bindir=~/.sieve-bin"


def files(layout: Layout) -> list[File]:
    """dovecot.conf and what it names."""
    lookup = layout.lookup
    return [
        File("dovecot/dovecot.conf", dovecot_conf(layout)),
        File("dovecot/sql.conf", sql_conf(layout), private=True),
        File("dovecot/sql-delivery.conf", sql_delivery_conf(layout), private=True),
        File("dovecot/sql-international.conf", sql_international_conf(layout.lookup), private=True),
        File("dovecot/dict-sieve.conf", dict_conf(lookup), private=True),
    ]


def _connect(lookup: Lookup) -> str:
    if lookup.path:
        return f"connect = {lookup.path}"
    return (
        f"connect = host={lookup.host} port={lookup.port} dbname={lookup.name} user={lookup.role}"
        f" password={lookup.password}"
    )


def sql_conf(layout: Layout) -> str:
    """The password look-up, which answers the user look-up of the same log-in too, and the plain user look-up."""
    login = f"username AS user, password, {_home(layout)} AS userdb_home, quota_rule AS userdb_quota_rule"
    user = f"{_home(layout)} AS home, quota_rule"
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
driver = {layout.lookup.driver}
{_connect(layout.lookup)}
default_pass_scheme = CRYPT
password_query = {select(layout.lookup.driver, login, "svc_mail_login", "'%Lu'")}
user_query = {select(layout.lookup.driver, user, "svc_mail_user", "'%Lu'")}
iterate_query = SELECT username AS user FROM svc_mail_user
"""


def sql_international_conf(lookup: Lookup) -> str:
    """The look-up that gives a log-in name its domain in ASCII, by which everything else knows it."""
    name = "NULL AS password, 'y' AS noauthenticate, '%Ln@' || ascii_name AS user"
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
driver = {lookup.driver}
{_connect(lookup)}
password_query = {select(lookup.driver, name, "svc_mail_international", "'%Ld'")}
"""


def sql_delivery_conf(layout: Layout) -> str:
    """The user look-up of deliveries, with the automatic reply if there is one of a size that Dovecot can carry.

    It stands apart from the plain one, which answers when this fails: without a reply, but mail is delivered.
    """
    size = "octet_length(script)" if layout.lookup.driver == "pgsql" else "length(CAST(script AS BLOB))"
    # Asked as the script is read afterwards, so that this fails, too, when that would.
    name, data = (
        select(layout.lookup.driver, columns, view, "'%Lu'")
        for columns, view in (("id, name", "svc_mail_sieve_name"), ("id", "svc_mail_sieve_data"))
    )
    there = f"SELECT '{SIEVE_BEFORE}' FROM ({name}) n JOIN ({data}) d ON d.id = n.id WHERE n.name = 'autoresponder'"
    reply = f"CASE WHEN {size} <= {MAX_SCRIPT_BYTES} THEN ({there}) END AS sieve_before"
    user = f"{_home(layout)} AS home, quota_rule, {reply}"
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
driver = {layout.lookup.driver}
{_connect(layout.lookup)}
user_query = {select(layout.lookup.driver, user, "svc_mail_user", "'%Lu'")}
"""


def _home(layout: Layout) -> str:
    return f"'{layout.storage}/' || home"


def dict_conf(lookup: Lookup) -> str:
    """The scripts of automatic replies: a name leads to an id, new with each change, and an id to a script."""
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
{_connect(lookup)}
map {{
  pattern = priv/sieve/name/$script
  table = svc_mail_sieve_name
  username_field = username
  value_field = id
  fields {{
    name = $script
  }}
}}
map {{
  pattern = priv/sieve/data/$id
  table = svc_mail_sieve_data
  username_field = username
  value_field = script
  fields {{
    id = $id
  }}
}}
"""


def _databases(layout: Layout) -> str:
    """The look-ups of passwords and users. What one answers counts; only when it fails the next is made."""

    def block(kind: str, file: str, *, last: bool = False) -> str:
        lines = ["driver = sql", f"args = {layout.etc}/dovecot/{file}.conf"]
        if not last:
            lines += ["result_failure = return-fail", "result_internalfail = continue"]
        return f"{kind} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"

    # After a change of the database's schema SQLite fails the first query of an open connection.
    again = layout.lookup.driver == "sqlite"
    plain = block("userdb", "sql") * again + block("userdb", "sql", last=True)
    delivery = block("userdb", "sql-delivery") * (1 + again) + plain
    names = f"""\
passdb {{
  driver = sql
  args = {layout.etc}/dovecot/sql-international.conf
  result_success = continue
  result_failure = continue
  result_internalfail = continue
}}
"""
    return (
        names
        + block("passdb", "sql") * again
        + block("passdb", "sql", last=True)
        + "userdb {\n  driver = prefetch\n}\n"
        + f"protocol !lmtp {{\n{plain}}}\nprotocol lmtp {{\n{delivery}}}\n"
    )


def dovecot_conf(layout: Layout) -> str:
    """Dovecot's main configuration (2.3)."""
    etc = layout.etc / "dovecot"
    spool = layout.spool
    return f"""\
# Written by Innkeeper; changes made here are overwritten.
base_dir = {layout.run}/dovecot
state_dir = {layout.run}/dovecot-state
instance_name = {layout.name}
# Supervisor writes the log, and keeps it within bounds.
log_path = /dev/stderr
import_environment = TZ CORE_OUTOFMEM CORE_ERROR {layout.environment_mark}
protocols = imap pop3 lmtp sieve
listen = {layout.host}
shutdown_clients = yes

ssl = yes
ssl_cert = <{layout.certificate}
ssl_key = <{layout.certificate_key}

auth_mechanisms = plain login
# Any, for domains in other scripts; the look-ups quote them.
auth_username_chars =
auth_verbose = yes
auth_worker_max_count = 10
# What is committed counts at once: a password, a suspension, a removal.
auth_cache_size = 0
# Every client comes from the loopback address here, so a delay for one would be a delay for all.
auth_failure_delay = 1 secs
mail_max_userip_connections = 100

mail_location = maildir:~/Maildir
mail_uid = {layout.mail_uid}
mail_gid = {layout.mail_gid}
first_valid_uid = 1
first_valid_gid = 1
mail_plugins = $mail_plugins quota
recipient_delimiter = +
sendmail_path = /usr/bin/python3 -IS {layout.reply_program} {layout.reply_socket} {layout.files}

namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
}}

{_databases(layout)}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  extra_groups = {DATABASE_GROUP}
  unix_listener {spool}/private/auth {{
    mode = 0600
    user = postfix
  }}
}}
service auth-worker {{
  user = $default_internal_user
  extra_groups = {DATABASE_GROUP}
}}
# A process for each delivery that asks: its connection is never older than the last change of the schema, after
# which SQLite fails the first query of an open one, and the delivery with it.
service dict {{
  client_limit = 1
  service_count = 1
  extra_groups = {DATABASE_GROUP}
  unix_listener dict {{
    mode = 0600
    user = {layout.mail_user}
  }}
}}
service lmtp {{
  unix_listener {spool}/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
  }}
}}
service quota-status {{
  executable = quota-status -p postfix
  client_limit = 1
  unix_listener quota-status {{
    mode = 0600
    user = {layout.policy_user}
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {layout.imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {layout.pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = {layout.sieve_port}
  }}
}}

protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota last_login
}}
protocol pop3 {{
  mail_plugins = $mail_plugins last_login
}}

dict {{
  sieve = {layout.lookup.driver}:{etc}/dict-sieve.conf
}}

plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO
  quota_status_overquota = "552 5.2.2 Mailbox is full"
  sieve = file:~/sieve;active=~/.dovecot.sieve
  # An automatic reply may go more than once a day to a sender, if its owner wants it so.
  sieve_extensions = +vacation-seconds
  sieve_vacation_min_period = 1s
  # In the account's own folder, under a key that does not change with its name.
  last_login_dict = file:%h/.last-login
  last_login_key = last-login/time
}}
"""
