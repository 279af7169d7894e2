"""``jupytercloud event create``: a whole directory or nothing, and every refusal with its figures."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.deploy.chart import check_keys
from jupytercloud_hub.deploy.embedded import settings_of
from jupytercloud_hub.deploy.places import layered, read_one
from jupytercloud_hub.events import codes, printed
from jupytercloud_hub.settings import load
from jupytercloud_hub.spawners.base import slug
from jupytercloud_hub.spawners.swarm_objects import home_mount
from tests.support import ROOT
from tests.support.pdf import links, pages
from tests.support.settings_files import SITE

SOON = datetime.now(UTC).date() + timedelta(days=20)
BASE = {"--from": str(SOON), "--to": str(SOON + timedelta(days=1)), "--seats": "12", "--profile": "pycoa"}


def create(folder: Path, *flags: str, language: str = "en_GB.UTF-8", **options: str) -> Result:
    given = {**BASE, **{f"--{name}": value for name, value in options.items()}, "--folder": str(folder)}
    words = [word for pair in given.items() for word in pair]
    environ = {"LC_ALL": language}
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


MONTH = {"from": str(SOON), "to": str(SOON + timedelta(days=31))}
PAST = {"from": "2021-03-06", "to": "2021-03-07"}
BEGUN = {"from": f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M}+00:00"}
NIGHT = {"from": f"{SOON}T20:00", "to": f"{SOON}T23:00", "hours": "10:00-19:00"}


@pytest.mark.parametrize(
    ("given", "english", "french"),
    [
        (PAST, "would have ended at 2021-03-08T00:00+01:00, and it is 20", "se serait terminé à 2021-03-08T00:00"),
        (BEGUN, "would have begun at ", "aurait commencé à "),
        (MONTH, "are 32 days; an event has at most 31", "32 jours ; un événement en a 31 au plus"),
        (NIGHT, "leave nothing between", "ne laissent rien entre"),
        ({"profile": "pycao"}, "pycao is unknown; the catalogue has: pycoa", "le catalogue contient : pycoa"),
        ({"codes": "5"}, "5 codes for 12 seats", "5 codes pour 12 places"),
        ({"memory": "3 GiB"}, "12 seats × 1 GiB = 12 GiB, and the backend has 2 GiB", "2 places tiennent"),
    ],
    ids=["over", "begun", "too long", "no hour", "profile", "codes", "memory"],
)
def test_each_refusal_says_why_in_both_languages(given, english, french, tmp_path):
    for language, why in (("en_GB.UTF-8", english), ("fr_FR.UTF-8", french)):
        refused = create(tmp_path / "salon", "--fictitious-data", language=language, **given)
        assert refused.exit_code == 1, refused.output
        assert why in refused.output.replace("\u202f", " ").replace("\xa0", " ")
        assert not (tmp_path / "salon").exists()


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


def test_the_qr_codes_lead_to_the_door_and_those_of_tickets_fill_the_code_in(folder):
    for page in pages(folder / "poster.pdf", scale=0.5):  # a telephone across the room
        assert links(page) == ["http://127.0.0.1:8200/salon/hub/login"]
    handed_out = [row["link"] for row in csv.DictReader((folder / "codes.csv").open()) if row["kind"] == "visitor"]
    printed_on = [link for page in pages(folder / "codes.pdf") for link in links(page)]
    assert sorted(printed_on) == sorted(handed_out)


def test_dates_in_the_checklist_follow_the_events(folder):
    text = (folder / "checklist.fr.md").read_text()
    assert text.count("- [ ]") == 10
    assert "10:00" in text
    assert "18:50" in text


def test_poster_and_sheets_are_printed_anew_with_the_same_codes(folder):
    settings = folder / "jupytercloud.yaml"
    before = {name: (folder / name).read_bytes() for name in ("codes.csv", "codes.hashed")}
    settings.write_text(settings.read_text().replace('from_hour: "10:00"', 'from_hour: "11:00"'))
    (folder / "poster.pdf").unlink()
    (folder / "codes.pdf").unlink()
    done = CliRunner().invoke(main, ["event", "poster", "--json", "--config", str(settings)])
    assert done.exit_code == 0, done.output
    assert [Path(path).name for path in json.loads(done.output)["written"]] == ["poster.pdf", "codes.pdf"]
    assert (folder / "codes.pdf").stat().st_mode & 0o777 == 0o600
    assert before == {name: (folder / name).read_bytes() for name in before}
    (folder / "codes.csv").unlink()
    missing = CliRunner().invoke(main, ["event", "poster", "--config", str(settings)], env={"LC_ALL": "en"})
    assert missing.exit_code == 1
    assert "codes.csv is missing" in missing.output


ENGINE_SITE = """
site: {{name: labo, url: "https://labo.example.fr/", contact: support@example.fr, timezone: Europe/Paris}}
spawner: {{backend: {backend}, {section}}}
profiles: [{{name: lab, title: Lab, image: "registry.example.fr/lab:1", resources: {{memory: 1 GiB}}}}]
"""
ON_ENGINE = {"profile": "lab", "seats": "20", "memory": "64 GiB", "url": "https://salon.example.fr/"}


def on_engine(tmp_path: Path, lent: str, section: str, **options: str) -> Result:
    (tmp_path / "site.yaml").write_text(ENGINE_SITE.format(backend=lent, section=section))
    given = {**ON_ENGINE, "site": str(tmp_path / "site.yaml"), "backend": lent, **options}
    return create(tmp_path / "salon", **given)


def test_on_a_swarm_there_is_a_stack_whose_parts_are_all_there(tmp_path):
    made = on_engine(tmp_path, "swarm", "swarm: {network: labo, home: {type: volume}}")
    assert made.exit_code == 0, made.output
    folder = tmp_path / "salon"
    assert "deploy.sh" in made.output
    stack = YAML(typ="safe").load(folder / "stack.yaml")
    for kind in ("configs", "secrets"):
        for name, entry in stack[kind].items():
            assert (folder / entry["file"]).is_file(), (kind, name)
            assert f"{kind[:-1].upper()}_{name.upper()}=" in (folder / "deploy.sh").read_text()
    for name in ("engines.cfg", "socket_hub.cfg", "socket_traefik.cfg"):
        assert (folder / name).read_text().endswith("\n"), "HAProxy takes no last line without its end"
    for service in stack["services"].values():
        named = {one["source"] for one in service.get("configs", [])}
        assert named <= set(stack["configs"])
        assert set(service.get("secrets", [])) <= set(stack["secrets"])
        assert set(service["networks"]) <= set(stack["networks"])
    constraints = [service["deploy"].get("placement") for service in stack["services"].values()]
    assert constraints.count({"constraints": ["node.labels.jupytercloud.event==salon"]}) == 4, "beside a site's stack"
    checklist = (folder / "checklist.en.md").read_text()
    for step in (
        "--label-add jupytercloud.event=salon",
        "./deploy.sh",
        "./event.sh status",
        "./event.sh purge",
        "./remove.sh",
    ):
        assert step in checklist
    settings = load(folder / "jupytercloud.yaml")
    assert settings.event
    assert settings.spawner
    assert settings.spawner.swarm
    assert (settings.spawner.swarm.network, settings.spawner.swarm.reach) == ("salon_servers", "network")
    assert stack["networks"]["servers"]["name"] == "salon_servers"
    assert settings.event.engines == ("tcp://tasks.engines:2375",)
    assert (folder / "secrets" / "cookie_secret").stat().st_mode & 0o777 == 0o600
    # The proxy of each machine's socket lets seats' volumes go, and no other.
    rule = re.search(r"acl home path_reg (\S+)", (folder / "engines.cfg").read_text())
    assert rule
    home = home_mount(settings.spawner.swarm.home.model_dump(), {"hub": "salon", "user": slug("seat-0012")})["Source"]
    assert re.search(rule[1], f"/v1.41/volumes/{home}")
    assert not re.search(rule[1], "/v1.41/volumes/jupytercloud-salon-anna")
    assert not re.search(rule[1], "/v1.41/volumes/salon_state")


def test_a_swarm_of_an_institution_shows_its_own_certificate(tmp_path):
    made = on_engine(tmp_path, "swarm", "swarm: {network: labo}", certificate="own")
    assert made.exit_code == 0, made.output
    folder = tmp_path / "salon"
    stack = YAML(typ="safe").load(folder / "stack.yaml")
    assert stack["configs"]["tls"]["file"] == "./tls.yaml"
    assert (folder / "tls.yaml").is_file()
    assert {"tls_certificate", "tls_key"} <= set(stack["secrets"])
    assert "letsencrypt" not in (folder / "stack.yaml").read_text()
    refused = subprocess.run(["sh", str(folder / "deploy.sh")], capture_output=True, text=True, check=False)
    assert (refused.returncode, "secrets/tls_certificate is missing" in refused.stderr) == (1, True)


def test_the_exercise_by_buttons_comes_with_the_image_that_has_it(tmp_path):
    site = ENGINE_SITE.replace("registry.example.fr/lab:1", "registry.example.fr/ours/pycoa:0.1.0")
    (tmp_path / "site.yaml").write_text(site.format(backend="swarm", section="swarm: {network: labo}"))
    made = create(tmp_path / "salon", **{**ON_ENGINE, "site": str(tmp_path / "site.yaml"), "backend": "swarm"})
    assert made.exit_code == 0, made.output
    settings = load(tmp_path / "salon" / "jupytercloud.yaml")
    assert settings.event
    assert settings.event.buttons == "voila/render/exercice-salon.ipynb"
    assert settings.profiles[0].image == "registry.example.fr/ours/pycoa:0.1.0"
    stack = YAML(typ="safe").load((tmp_path / "salon" / "stack.yaml").read_text())
    assert stack["services"]["hub"]["image"].endswith("/hub:0.1.0"), "what images/build.sh hub makes"


def test_for_argo_cd_there_are_values_that_the_hub_and_the_chart_understand(tmp_path):
    made = on_engine(tmp_path, "kubernetes", "kubernetes: {namespace: labo, home: {storage_class: ceph}}")
    assert made.exit_code == 0, made.output
    folder = tmp_path / "salon"
    values = YAML(typ="safe").load(folder / "values.yaml")
    helm = ROOT / "helm-values"
    files = (helm / "common.yaml", helm / "kubernetes.yaml", folder / "values.yaml")
    all_of_it = layered([read_one(path)[0] for path in files])
    assert list(check_keys(all_of_it)) == []
    settings, problems = settings_of(all_of_it)
    assert problems == []
    assert settings
    assert settings.event
    assert settings.auth is None
    assert settings.spawner
    assert settings.spawner.kubernetes.namespace is None, "a namespace of its own, the hub's"
    assert settings.spawner.kubernetes.home.storage_class == "ceph"
    secret = YAML(typ="safe").load(folder / "secret.yaml")
    assert settings.event.code_key.file == Path("/etc/jupytercloud/secrets/code-key")
    assert settings.event.codes == Path("/etc/jupytercloud/secrets/codes")
    assert secret["stringData"]["codes"] == (folder / "codes.hashed").read_text()
    assert secret["stringData"]["code-key"] == (folder / "code.key").read_text().strip()
    needed = {entry["valueFrom"]["secretKeyRef"]["key"] for entry in values["hub"]["extraContainers"][0]["env"]
              if "valueFrom" in entry}  # fmt: skip
    assert needed <= set(secret["stringData"])
    application = YAML(typ="safe").load(folder / "application.yaml")
    assert "$values/events/salon/values.yaml" in application["spec"]["sources"][0]["helm"]["valueFiles"]
    project = YAML(typ="safe").load(helm / "argocd" / "project.yaml")
    namespace = application["spec"]["destination"]["namespace"]
    assert any(fnmatch(namespace, one["namespace"]) for one in project["spec"]["destinations"]), (
        "Argo CD refuses others"
    )
    assert secret["metadata"]["namespace"] == namespace
    services = values["hub"]["extraContainers"][0]
    assert "/hub-kubernetes:" in services["image"], "on the chart's own image, with what its configuration needs"
    assert (folder / "secret.yaml").stat().st_mode & 0o777 == 0o600


def test_an_engine_without_a_certificate_or_of_somebody_else_is_refused(tmp_path):
    unsaid = on_engine(tmp_path, "swarm", "swarm: {network: labo}", memory="", url="")
    assert unsaid.exit_code == 1
    assert "what the backend swarm has is not known here: say --memory" in unsaid.output
    assert "a host name is missing" in unsaid.output
    plain = on_engine(tmp_path, "swarm", "swarm: {network: labo}", url="http://salon.example.fr/")
    assert plain.exit_code == 2
    assert "https" in plain.output
    other = on_engine(tmp_path, "swarm", "swarm: {network: labo}", backend="kubernetes")
    assert other.exit_code == 1
    assert "on swarm, and the event is to run on kubernetes" in other.output
