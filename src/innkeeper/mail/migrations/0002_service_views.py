"""The views through which Postfix and Dovecot look mail accounts up.

`UNION ALL` and equality on stored keys only: each arm then uses an index, on both engines. A site's mail acts while
its service is on and no status flag but 8 (web service only) is set.
"""

from django.db import migrations

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

ACTIVE = "s.enabled AND (h.status & ~8) = 0"
SITE = "JOIN mail_mailservice s ON s.site_id = n.site_id JOIN hosting_site h ON h.id = n.site_id"
MAIN = "FROM mail_mailname n JOIN mail_mailaccount a ON a.id = n.account_id"
ANSWERS = "EXISTS (SELECT 1 FROM mail_sievescript sc WHERE sc.account_id = a.id AND sc.active)"
QUOTA = "CASE WHEN a.quota < 0 THEN '*:bytes=0' ELSE '*:bytes=' || CAST(a.quota AS TEXT) END"
HOME = "substr(a.storage, 1, 2) || '/' || a.storage"

VIEWS = {
    "svc_mail_domain": (
        f"SELECT h.ascii_name AS name FROM hosting_site h JOIN mail_mailservice s ON s.site_id = h.id WHERE {ACTIVE}"
    ),
    "svc_mail_recipient": (
        f"SELECT n.address AS address {MAIN} {SITE}"
        f" WHERE n.kind = 'account' AND (a.mailbox_enabled OR {ANSWERS}) AND {ACTIVE}"
    ),
    "svc_mail_alias": (
        # An alias of an account that takes no mail is an unknown address, too.
        "SELECT x.address AS source, n.address AS target FROM mail_mailname x"
        " JOIN mail_mailname n ON n.account_id = x.account_id AND n.kind = 'account'"
        f" JOIN mail_mailaccount a ON a.id = x.account_id {SITE}"
        " WHERE x.kind = 'alias'"
        f" AND (a.mailbox_enabled OR a.redirect_enabled OR a.group_enabled OR {ANSWERS}) AND {ACTIVE}"
        " UNION ALL "
        f"SELECT n.address AS source, r.address AS target {MAIN}"
        f" JOIN mail_recipient r ON r.account_id = a.id {SITE}"
        " WHERE n.kind = 'account' AND ((r.kind = 'redirect' AND a.redirect_enabled)"
        f" OR (r.kind = 'group' AND a.group_enabled)) AND {ACTIVE}"
        " UNION ALL "
        # The self row keeps a mailbox out of its domain's catch-all, and a copy beside a redirect.
        f"SELECT n.address AS source, n.address AS target {MAIN} {SITE}"
        f" WHERE n.kind = 'account' AND (a.mailbox_enabled OR {ANSWERS}) AND {ACTIVE}"
    ),
    "svc_mail_catchall": (
        "SELECT s.domain_key AS source, s.forward_address AS target FROM mail_mailservice s"
        f" JOIN hosting_site h ON h.id = s.site_id WHERE s.unknown_action = 'forward' AND {ACTIVE}"
    ),
    "svc_mail_bounce": (
        "SELECT s.domain_key AS source, s.bounce_address AS target FROM mail_mailservice s"
        f" JOIN hosting_site h ON h.id = s.site_id WHERE s.unknown_action = 'bounce' AND {ACTIVE}"
    ),
    "svc_mail_transport": (
        "SELECT s.bounce_address AS address, 'error:5.1.1 ' || s.bounce_text AS transport"
        " FROM mail_mailservice s WHERE s.unknown_action = 'bounce'"
    ),
    "svc_mail_sender": (
        "SELECT x.address AS sender, n.address AS login FROM mail_mailname x"
        f" JOIN mail_mailname n ON n.account_id = x.account_id AND n.kind = 'account' {SITE} WHERE {ACTIVE}"
    ),
    "svc_mail_login": (
        f"SELECT n.address AS username, a.password AS password, {HOME} AS home, {QUOTA} AS quota_rule {MAIN} {SITE}"
        f" WHERE n.kind = 'account' AND a.mailbox_enabled AND a.password <> '' AND {ACTIVE}"
    ),
    "svc_mail_user": (
        f"SELECT n.address AS username, {HOME} AS home, {QUOTA} AS quota_rule {MAIN} {SITE}"
        f" WHERE n.kind = 'account' AND (a.mailbox_enabled OR {ANSWERS}) AND {ACTIVE}"
    ),
    "svc_mail_sieve_name": (
        "SELECT n.address AS username, 'autoresponder' AS name,"
        " CAST(c.account_id AS TEXT) || '.' || CAST(c.revision AS TEXT) AS id"
        " FROM mail_mailname n JOIN mail_sievescript c ON c.account_id = n.account_id"
        " WHERE n.kind = 'account' AND c.active"
    ),
    "svc_mail_sieve_data": (
        "SELECT n.address AS username, CAST(c.account_id AS TEXT) || '.' || CAST(c.revision AS TEXT) AS id,"
        " c.script AS script FROM mail_mailname n JOIN mail_sievescript c ON c.account_id = n.account_id"
        " WHERE n.kind = 'account' AND c.active"
    ),
    "svc_mail_outgoing": (
        "SELECT n.address AS login, COALESCE(a.outgoing_limit, (SELECT CAST(t.value AS BIGINT) FROM core_setting t"
        " WHERE t.name = 'outgoing_messages_mbox_limit'), -1) AS messages_per_hour"
        f" {MAIN} WHERE n.kind = 'account'"
    ),
}


class Migration(migrations.Migration):
    dependencies = [
        ("mail", "0001_initial"),
        ("hosting", "0001_initial"),
        ("core", "0001_initial"),
    ]

    operations = [DropServiceViews(), CreateServiceViews(VIEWS)]
