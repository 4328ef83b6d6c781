"""The panel's static files, and what its house rules say about them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from django.test import Client

import innkeeper.doors.panel

PANEL = Path(innkeeper.doors.panel.__file__).parent
STATIC = PANEL / "static" / "panel"
VENDOR = STATIC / "vendor"
TEMPLATES = sorted((PANEL / "templates").rglob("*.html"))


def test_files_of_others_are_what_the_manifest_says() -> None:
    manifest = tomllib.loads((VENDOR / "manifest.toml").read_text())["file"]
    assert {entry["name"] for entry in manifest} == {p.name for p in VENDOR.iterdir()} - {"manifest.toml"}
    for entry in manifest:
        assert hashlib.sha256((VENDOR / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["version"] and entry["licence"]


def test_no_colour_stands_outside_the_tokens() -> None:
    for path in [STATIC / "panel.css", *TEMPLATES]:
        text = path.read_text()
        found = re.findall(r"(?<![&\w])#[0-9a-fA-F]{3,8}\b(?=[;,\s)\"'])|rgba?\(|hsla?\(", text)
        assert [c for c in found if not c.startswith("#") or path.suffix == ".css"] == [], path


def test_each_token_that_is_used_is_declared() -> None:
    tokens = set(re.findall(r"(--ik-[\w-]+):", (STATIC / "tokens.css").read_text()))
    assert set(re.findall(r"var\((--ik-[\w-]+)", (STATIC / "panel.css").read_text())) <= tokens


def test_each_icon_that_is_used_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))
    sources = "".join(p.read_text() for p in [*TEMPLATES, PANEL / "templatetags" / "panel.py"])
    used = set(re.findall(r'{% icon "([^"]+)" %}', sources)) | set(
        re.findall(r'State\.\w+: \("[^"]*", "([^"]+)"', sources)
    )
    assert used and used <= sprite
    assert sprite <= used, f"not used: {sprite - used}"


def test_templates_hold_nothing_inline() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! src=)|javascript:", text), path


def test_widgets_stay_small() -> None:
    for path in (STATIC / "widgets").glob("*.js"):
        assert len(path.read_text().splitlines()) <= 150, path


@pytest.mark.django_db
def test_addresses_change_with_the_content_and_are_kept_for_a_year() -> None:
    page = Client().get("/login/").content.decode()
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(addresses) >= 8
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{12}$", address), address
        response = Client().get(address)
        assert response.status_code == 200
        assert "max-age=31536000" in response.headers["Cache-Control"]
        response.close()
