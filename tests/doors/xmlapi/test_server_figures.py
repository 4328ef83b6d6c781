"""What `server get` says about this machine, beside what the system itself says."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from lxml import etree
from packet_client import request

from innkeeper.doors.xmlapi import schema
from innkeeper.doors.xmlapi.operators import server
from innkeeper.doors.xmlapi.versions import Dialect
from tests.null_hostd import NullHostd

pytestmark = pytest.mark.usefixtures("world")


def get(flag: str) -> etree._Element:
    _, _, content = request(f"<packet><server><get><{flag}/></get></server></packet>".encode(), {"KEY": "admin-key"})
    answer = etree.fromstring(content)
    schema.answer_schema(Dialect.NEW).assertValid(answer)
    found = answer.find(f"server/get/result/{flag}")
    assert found is not None
    return found


def texts(block: etree._Element, path: str) -> list[str]:
    return [each.text or "" for each in block.iterfind(path)]


def test_interfaces_are_the_machine_s() -> None:
    assert sorted(texts(get("interfaces"), "interface")) == sorted(psutil.net_if_addrs())


def test_shells_are_those_of_the_system_and_the_one_that_lets_nobody_in() -> None:
    paths = texts(get("shells"), "shell/path")
    assert paths[0] == "/bin/false"
    listed = {line.strip() for line in Path("/etc/shells").read_text().splitlines() if line.startswith("/")}
    assert set(paths[1:]) == {path for path in listed if Path(path).exists()}


def test_components_have_the_versions_that_dpkg_tells() -> None:
    block = get("components")
    versions = dict(zip(texts(block, "component/name"), texts(block, "component/version"), strict=True))
    assert "innkeeper" in versions
    for component, package in (("postfix", "postfix"), ("dovecot", "dovecot-core")):
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        assert versions.get(component) == (told.removeprefix("installed ") if told.startswith("installed") else None)


def test_statistics_are_counted_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_counts", (0.0, {}))
    block = get("stat")
    assert block.findtext("objects/clients") == "3"
    assert block.findtext("objects/domains") == block.findtext("objects/active_domains") == "5"
    memory = psutil.virtual_memory()
    assert block.findtext("mem/total") == str(memory.total)
    assert block.findtext("diskspace/device/total") == str(psutil.disk_usage("/").total)
    hundredfold = psutil.getloadavg()[0] * 100
    assert abs(int(block.findtext("load_avg/l1") or "-1") - hundredfold) < 100
    assert 0 < int(block.findtext("other/uptime") or "0") <= time.time() - psutil.boot_time() + 2


@pytest.mark.parametrize(("state", "shown"), [("running", "running"), ("starting", "running"), ("fatal", "stopped")])
def test_services_are_as_their_programs_are(monkeypatch: pytest.MonkeyPatch, state: str, shown: str) -> None:
    monkeypatch.setattr(server, "services", lambda: NullHostd(states={"postfix": state, "dovecot": "stopped"}))
    block = get("services_state")
    states = dict(zip(texts(block, "srv/id"), texts(block, "srv/state"), strict=True))
    assert (states["smtp"], states["mail"], states["dns"]) == (shown, "stopped", "none")
