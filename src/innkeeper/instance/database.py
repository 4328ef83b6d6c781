"""Makes the database ready: the daemons' roles on PostgreSQL, then the program's own set-up as the panel's user."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from innkeeper.components.drivers.postfix_dovecot.outgoing import SCHEMA
from innkeeper.instance.config import Instance, InstanceError, read_secret
from innkeeper.instance.users import Ids

if TYPE_CHECKING:
    import psycopg

CONNECTIONS = 80
"""Most connections of one role: a storm of log-ins must not take the panel's away."""

PLANNING = {
    # The views name their tables in the order in which they are to be read.
    "join_collapse_limit": "1",
    # A session keeps the plans of its look-ups until the tables are analysed, and may have made them while these were
    # small. So it makes those for large ones: a row by its key, and from there the next by its key.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""How every session of the two roles plans."""


def _connect(instance: Instance) -> psycopg.Connection[Any]:
    import psycopg

    try:
        return psycopg.connect(instance.database.url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        text = str(error).strip().splitlines()[0]
        raise InstanceError(f"The database {instance.database.shown} cannot be reached: {text}") from None


def make_roles(instance: Instance) -> None:
    """Make the daemons' role, which reads the service views alone, and the policy service's, which counts too.

    Raises InstanceError if the owner in the URL may not make roles.
    """
    import psycopg
    from psycopg import sql

    assert instance.database.server is not None  # noqa: S101
    lookup, policy = (sql.Identifier(r) for r in (instance.database.lookup_role, instance.database.policy_role))
    with _connect(instance) as connection:
        try:
            for role, secret in (
                (instance.database.lookup_role, "lookup-password"),
                (instance.database.policy_role, "policy-password"),
            ):
                found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
                connection.execute(
                    sql.SQL("{verb} ROLE {role} LOGIN PASSWORD {password} CONNECTION LIMIT {limit}").format(
                        verb=sql.SQL("ALTER" if found else "CREATE"),
                        role=sql.Identifier(role),
                        password=sql.Literal(read_secret(instance.secrets / secret)),
                        limit=sql.Literal(CONNECTIONS),
                    )
                )
                for name, value in PLANNING.items():
                    connection.execute(
                        sql.SQL("ALTER ROLE {} SET {} = {}").format(
                            sql.Identifier(role), sql.Identifier(name), sql.Literal(value)
                        )
                    )
            connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(lookup))
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
                    sql.Identifier(instance.database.server.name), lookup, policy
                )
            )
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(lookup))
            connection.execute(sql.SQL("GRANT {} TO {}").format(lookup, policy))
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {SCHEMA}.sent (login text NOT NULL, at double precision NOT NULL)"
            )
            connection.execute(f"CREATE INDEX IF NOT EXISTS sent_login_at ON {SCHEMA}.sent (login, at)")
            connection.execute(sql.SQL(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {{}}").format(policy))
            connection.execute(sql.SQL(f"GRANT SELECT, INSERT, DELETE ON {SCHEMA}.sent TO {{}}").format(policy))
        except psycopg.errors.InsufficientPrivilege as error:
            raise InstanceError(
                f"The database user {instance.database.server.user} may not make the daemons' roles"
                f" ({str(error).splitlines()[0]}). Make it the database's owner and give it CREATEROLE."
            ) from None


def drop_roles(instance: Instance) -> None:
    """Remove the roles again. The panel's tables stay: the database was there before the instance."""
    from psycopg import sql

    with _connect(instance) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        for role in (instance.database.policy_role, instance.database.lookup_role):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                # Who may make roles may not drop what they own without being a member.
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
                connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def grant_views(instance: Instance) -> None:
    """Let the daemons' role use every service view. Migrations do so too, but only for the role of their time."""
    with _connect(instance) as connection:
        grants = connection.execute(
            "SELECT format('GRANT SELECT ON %%I TO %%I', viewname, %(role)s::text) FROM pg_views"
            " WHERE schemaname = 'public' AND starts_with(viewname, 'svc_') UNION ALL"
            " SELECT format('GRANT EXECUTE ON FUNCTION %%s TO %%I', oid::regprocedure, %(role)s::text) FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND starts_with(proname, 'svc_')",
            {"role": instance.database.lookup_role},
        ).fetchall()
        for (grant,) in grants:
            connection.execute(grant)


def set_up(instance: Instance, ids: Ids) -> bool:
    """Migrate, and make the administrator if there is none, as the panel's user. Tells whether it was made.

    Raises InstanceError with what the program said.
    """
    password = instance.secrets / "admin-password"
    done = subprocess.run(
        [str(instance.python), "-m", "innkeeper.upkeep.setup"],
        env=program_environment(instance),
        input=(read_secret(password) if password.exists() else "") + "\n",
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=ids.panel,
        group=ids.group,
        extra_groups=[],
        umask=0o027,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        (instance.log_dir / "setup.log").write_text(done.stdout + done.stderr)
        raise InstanceError(
            f"The database could not be made ready: {lines[-1] if lines else 'no message'}"
            f" (all of it: {instance.log_dir}/setup.log)"
        )
    if instance.database.server:
        grant_views(instance)
    return "administrator created" in done.stdout


def program_environment(instance: Instance) -> dict[str, str]:
    """The environment in which the instance's own programs run."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "INNKEEPER_STATE": str(instance.state),
        "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
        "PYTHONPATH": str(instance.program.parent / instance.program.readlink()),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
