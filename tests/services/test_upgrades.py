"""A new version of the program takes over while mail flows; an old one keeps its hands off."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cluster import Cluster
from services.private import REPOSITORY, PrivateInstance, Site
from services.traffic import Traffic

MIGRATION = """
from importlib import import_module

from django.db import migrations, models

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

latest = import_module("innkeeper.mail.migrations.{latest}")

class Migration(migrations.Migration):
    dependencies = [("mail", "{latest}")]
    operations = [
        DropServiceViews(),
        migrations.AddField("mailaccount", "nickname", models.CharField(max_length=40, db_default="")),
        migrations.AddField("mailservice", "motto", models.TextField(db_default="")),
        CreateServiceViews(latest.VIEWS, latest.KEYS),
    ]
"""


@pytest.fixture
def own_instance(engine: str, request: pytest.FixtureRequest) -> Iterator[PrivateInstance]:
    """An instance that this test may leave in another version."""
    cluster: Cluster | None = request.getfixturevalue("cluster") if engine == "postgresql" else None
    private = PrivateInstance(cluster.database("upgraded") if cluster else "")
    try:
        private.up()
        yield private
    finally:
        private.down()


@pytest.fixture
def newer_program() -> Iterator[Path]:
    """A copy of the program that has one migration more, over tables under the views."""
    with tempfile.TemporaryDirectory(prefix="inn-", dir="/var/tmp") as folder:
        copy = Path(folder) / "c"
        copy.mkdir()
        shutil.copytree(REPOSITORY / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("innkeeper", "requirements.lock"):
            shutil.copy2(REPOSITORY / name, copy / name)
        migrations = copy / "src/innkeeper/mail/migrations"
        latest = max(p.stem for p in migrations.glob("[0-9]*.py") if "VIEWS = " in p.read_text())
        assert latest == max(p.stem for p in migrations.glob("[0-9]*.py")), "the newest migration carries the views"
        (migrations / "9999_more_columns.py").write_text(MIGRATION.format(latest=latest))
        models = copy / "src/innkeeper/mail/models.py"
        text = models.read_text()
        for first, added in (
            ("    guid = models", '    nickname = models.CharField(max_length=40, db_default="")\n'),
            ("    domain_key = models", '    motto = models.TextField(db_default="")\n'),
        ):
            assert first in text
            text = text.replace(first, added + first, 1)
        models.write_text(text)
        yield copy / "innkeeper"


def test_a_newer_program_migrates_with_mail_flowing_and_an_older_one_is_refused(
    own_instance: PrivateInstance, newer_program: Path
) -> None:
    site = own_instance.webspace(Site.fresh_name("space"))
    alice = site.account("alice", "<autoresponder><enabled>true</enabled><subject>Away</subject></autoresponder>")
    with Traffic(alice) as traffic:
        for _ in range(3):  # the look-ups' connections meet each change of the schema
            own_instance.sql("CREATE TABLE passing (a integer)")
            own_instance.sql("DROP TABLE passing")
        command = [str(newer_program), "up", "--no-demo", "--state", str(own_instance.state)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
    assert own_instance.sql("SELECT count(*) FROM mail_mailaccount WHERE nickname = ''")[0][0] >= 1
    traffic.check()
    site.account("bob")
    assert own_instance.takes(site.address("bob"))

    refused = own_instance.command("up", "--no-demo", check=False)
    assert refused.returncode != 0
    assert "newer" in refused.stderr
    assert own_instance.takes(site.address("bob")), "what runs goes on running"
