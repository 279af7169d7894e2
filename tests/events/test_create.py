"""``jupytercloud event create``: a whole directory or nothing, and every refusal with its figures."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.events import codes, printed
from jupytercloud_hub.settings import load
from tests.support.settings_files import SITE

SOON = datetime.now(UTC).date() + timedelta(days=20)
BASE = {"--from": str(SOON), "--to": str(SOON + timedelta(days=1)), "--seats": "12", "--profile": "pycoa"}


def create(folder: Path, *flags: str, **options: str) -> Result:
    given = {**BASE, **{f"--{name}": value for name, value in options.items()}, "--folder": str(folder)}
    words = [word for pair in given.items() for word in pair]
    environ = {"LC_ALL": "en_GB.UTF-8"}
    return CliRunner().invoke(main, ["event", "create", "salon", *words, *flags], env=environ)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("event") / "salon"
    made = create(folder, "--fictitious-data", hours="10:00-19:00", title="Salon des maths")
    assert made.exit_code == 0, made.output
    return folder


def test_its_configuration_is_read_without_a_mistake(folder):
    settings = load(folder / "jupytercloud.yaml")
    assert settings.site.role == "event"
    assert settings.event
    assert (settings.event.seats, settings.event.warm, settings.event.profile) == (12, 3, "pycoa")
    assert settings.event.opens.isoformat()[:16] == f"{SOON}T10:00"


def test_codes_stand_in_the_clear_only_where_they_are_handed_out(folder):
    rows = list(csv.DictReader((folder / "codes.csv").open()))
    assert [row["kind"] for row in rows] == ["visitor"] * 12 + ["organizer"] + ["helper"] * 3
    assert all(codes.read(row["code"]) for row in rows)
    key = bytes.fromhex((folder / "code.key").read_text())
    hashed = (folder / "codes.hashed").read_text()
    for row in rows:
        plain = codes.read(row["code"])
        assert f"{row['kind']} {codes.digest(plain, key)}" in hashed
        assert row["link"] == f"http://127.0.0.1:8200/salon/hub/login?code={plain}"
        for path in folder.glob("*"):
            if path.is_file() and path.name not in ("codes.csv", "codes.pdf"):
                assert plain not in path.read_text(errors="replace"), path
    for private in ("code.key", "codes.csv", "codes.pdf"):
        assert (folder / private).stat().st_mode & 0o077 == 0


def test_nothing_is_overwritten(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = create(folder, "--fictitious-data")
    assert again.exit_code == 1
    assert "exists and holds 1" in again.output
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_refusal_names_its_figures_and_writes_nothing(tmp_path):
    refused = create(tmp_path / "big", seats="100000000")
    assert refused.exit_code == 2
    refused = create(tmp_path / "big", "--json", seats="200", memory="64 GiB")
    assert refused.exit_code == 1
    said = json.loads(refused.output)["refused"]
    assert any("200 seats × 1 GiB = 200 GiB" in one and "63 seats fit" in one for one in said)
    assert any("--fictitious-data" in one for one in said)
    assert list(tmp_path.iterdir()) == []


def test_a_site_lends_its_catalogue_and_its_engine(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE)
    made = create(tmp_path / "s", "--open-code", "--json", site=str(tmp_path / "site.yaml"), seats="5")
    assert made.exit_code == 0, made.output
    settings = load(tmp_path / "s" / "jupytercloud.yaml")
    assert settings.event
    assert settings.event.open_code_cap == 5
    assert [profile.name for profile in settings.profiles] == ["pycoa"]
    assert settings.profiles[0].image == "registry.example.fr/base:1"
    assert settings.site.contact == "support@example.fr"
    kinds = re.findall(r"^(\w+) ", (tmp_path / "s" / "codes.hashed").read_text(), re.M)
    assert kinds == ["open", "organizer", "helper", "helper", "helper"]


def test_the_poster_can_be_read_from_two_metres(folder, monkeypatch):
    """Every letter of the poster is at least `FAR_POINTS` high, its QR code at least a tenth of the distance wide."""
    sizes: list[float] = []
    sides: list[float] = []
    original = printed.FPDF.set_font
    monkeypatch.setattr(printed.FPDF, "set_font", lambda self, *a: (sizes.append(a[2]), original(self, *a))[1])
    draw = printed._qr
    monkeypatch.setattr(printed, "_qr", lambda pdf, address, x, y, side: (sides.append(side), draw(pdf, address, x, y, side))[1])  # fmt: skip # noqa: E501
    title = printed.Localized("Salon de la culture et des jeux mathématiques, vingt-septième édition")
    about = printed.Printed(title, "https://salon.jupytercloud.math.cnrs.fr/", printed.Localized("6 – 7 mars"), None, True)  # fmt: skip # noqa: E501
    printed.poster(about, folder.parent / "poster.pdf")
    assert min(sizes) >= 40
    assert sides == [200, 200]
    assert (folder / "poster.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "codes.pdf").read_bytes().startswith(b"%PDF")


def test_dates_in_the_checklist_follow_the_events(folder):
    text = (folder / "checklist.fr.md").read_text()
    assert text.count("- [ ]") == 9
    assert "10:00" in text
    assert "18:50" in text
