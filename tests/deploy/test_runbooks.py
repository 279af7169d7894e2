"""Each command of the pages that alerts name is typed, word by word, on hubs that run: a demonstration, an event."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.demo.people import load as people
from tests.support import ROOT
from tests.support.demo import Demo, running
from tests.support.event_hub import EventHub
from tests.support.person import log_in
from tests.support.ports import free_port

pytestmark = [pytest.mark.timeout(500)]

PAGES = sorted(path for path in (ROOT / "docs" / "runbooks").glob("*.md") if path.stem != "index")
BLOCK = re.compile(r"```sh\n\s*(.+?)\n\s*```")
COMMANDS = [(path.stem, command) for path in PAGES for command in BLOCK.findall(path.read_text())]
OURS = [(page, command) for page, command in COMMANDS if "jupytercloud " in command and "docker" not in command]
ON_THE_DEMONSTRATION = list(dict.fromkeys(
    ("portal" if " sites " in command or page == "plus-de-site" else "grenoble", command)
    for page, command in OURS
    if page != "evenement-complet"
))  # fmt: skip
"""Where each is typed; what stands on several pages is typed once."""
ENGINES = [(page, command) for page, command in COMMANDS if command.startswith("docker ")]
OTHERS = {"systemctl list-timers", "ls -l /var/lib/prometheus/node-exporter/"}
"""What only a machine with systemd and node exporter can answer."""
PASSWORD = "une longue phrase de passe\n" * 2
ORGANIZATION = {
    "sub": "x",
    "schac_home_organization": "univ-grenoble.example",
    "eduperson_principal_name": "alice@univ-grenoble.example",
    "idp": "https://idp.univ-grenoble.example/shibboleth",
}
"""What the demonstration's provider says of alice beside her own claims."""


def types(command: str, folder: Path, words: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Type a command in a hub's folder, the page's capitals filled in."""
    for capital, word in (words or {}).items():
        command = command.replace(capital, word)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "LC_ALL": "fr_FR.UTF-8", "no_proxy": "127.0.0.1"}
    environ.pop("JUPYTERHUB_API_TOKEN", None)
    # Without a terminal, so that what asks for a password reads it from what is typed.
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environ,
        input=PASSWORD,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as demo:
        for name, address in (("portal", demo.portal), ("grenoble", demo.site("grenoble"))):
            client, _ = log_in(demo.person("alice"), f"{address}hub/home")
            (demo.state / name / "jeton").write_text(token(client, address))
        claims = next(person.claims for person in people()[1] if person.login == "alice")
        (demo.state / "grenoble" / "attributs.json").write_text(json.dumps({**ORGANIZATION, **claims}))
        yield demo


def token(client: httpx.Client, address: str) -> str:
    """Make a token as the page hub/token does."""
    page = client.get(f"{address}hub/token")
    xsrf = next(one.value for one in client.cookies.jar if one.name == "_xsrf" and page.url.path.startswith(one.path))
    headers = {"X-XSRFToken": str(xsrf), "Referer": str(page.url)}
    name = client.get(f"{address}hub/api/user", headers=headers).json()["name"]
    made = client.post(f"{address}hub/api/users/{name}/tokens", headers=headers, json={"note": "runbook"})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


@pytest.fixture(scope="module")
def person(demo: Demo) -> str:
    """The portal's name of alice."""
    headers = {"Authorization": f"Bearer {(demo.state / 'portal' / 'jeton').read_text()}"}
    return str(httpx.get(f"{demo.portal}hub/api/user", headers=headers, trust_env=False).json()["name"])


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventHub]:
    with EventHub.running(tmp_path_factory.mktemp("fair"), seats=12, warm=1) as hub:
        yield hub


def ours(found: str, folder: Path) -> list[str]:
    """Return the processes of a sweep's table that are servers of this demonstration's hub, not of another test's."""
    numbers = [line.split()[0] for line in found.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    here = str(folder).encode()
    environments = [Path(f"/proc/{number}/environ") for number in numbers]
    return [str(one) for one in environments if one.exists() and here in one.read_bytes()]


def test_each_page_has_three_commands_and_all_are_looked_at() -> None:
    assert len(COMMANDS) == 3 * len(PAGES)
    assert not [command for _, command in COMMANDS if "--help" in command], "help is no way out at night"
    network = [command for _, command in COMMANDS if command.startswith(("curl ", "openssl "))]
    assert len(OURS) + len(ENGINES) + len(OTHERS) + len(network) == len(COMMANDS)


@pytest.mark.parametrize(("where", "command"), ON_THE_DEMONSTRATION)
def test_a_command_of_ours_answers_on_the_demonstration(demo: Demo, person: str, where: str, command: str) -> None:
    until = (date.today() + timedelta(days=30)).isoformat()
    words = {"PERSONNE": person, "GROUPE": "calcul", "SITE": "grenoble", "MOTIF": "astreinte", "AAAA-MM-JJ": until}
    folder = demo.state / where
    done = types(command, folder, words)
    if command.startswith("jupytercloud images status"):
        assert "pas d’image à télécharger" in done.stderr, "a site of processes says so"
        return
    if "sweep" in command and done.returncode == 1:  # it looks at the whole machine, where other tests run
        assert not ours(done.stdout, folder), done.stdout
        return
    assert done.returncode == 0, done.stdout + done.stderr
    if "explain" in command:
        assert "grenoble" in done.stdout
    if "--spawn" in command:
        assert "un noyau a calculé" in done.stdout
    if command.split()[2] in ("drain", "maintenance"):
        assert types("jupytercloud sites resume grenoble --config jupytercloud.yaml", folder).returncode == 0


@pytest.mark.parametrize("command", [command for page, command in OURS if page == "evenement-complet"])
def test_a_command_of_ours_answers_at_an_event(fair: EventHub, command: str) -> None:
    done = types(command, fair.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    if "warm" in command:
        assert "10 sur 10 prêtes" in done.stdout


def test_addresses_are_asked_for_as_the_pages_say(demo: Demo, tmp_path: Path) -> None:
    settings = YAML(typ="safe").load(demo.state / "grenoble" / "jupytercloud.yaml")
    words = {"ISSUER": settings["auth"]["issuer"].rstrip("/"), "https://SITE/": demo.site("grenoble")}
    asked = [types(command, tmp_path, words) for _, command in COMMANDS if command.startswith("curl ")]
    assert [done.returncode for done in asked] == [0, 0], [done.stderr for done in asked]
    assert {name for done in asked for name in json.loads(done.stdout)} >= {"authorization_endpoint", "version"}


def test_a_certificate_shows_its_dates_as_the_page_says(tmp_path: Path) -> None:
    (command,) = (command for _, command in COMMANDS if command.startswith("openssl "))
    with tls_server(tmp_path) as port:
        done = types(command, tmp_path, {"HOTE:443": f"127.0.0.1:{port}", "HOTE": "hub.example.fr"})
    assert re.findall(r"^\w+(?==)", done.stdout, re.MULTILINE) == ["notBefore", "notAfter", "issuer"], done.stderr


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """Answer with a certificate of its own."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=hub.example.fr"
    subprocess.run(make.split(), cwd=folder, capture_output=True, check=True, timeout=60)
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem", "-cert", "cert.pem"]
    server = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert server.stdout
        while b"ACCEPT" not in (line := server.stdout.readline()):
            assert line, "it ended"
        yield port
    finally:
        server.kill()
        server.wait()


def test_what_is_asked_of_a_swarm_names_services_of_the_stack_that_we_write(tmp_path: Path) -> None:
    words = ["stack", "init", str(tmp_path / "stack"), "--site", "labo", "--url", "https://labo.example.fr/"]
    made = CliRunner().invoke(main, [*words, "--issuer", "https://login.example.fr"])
    assert made.exit_code == 0, made.output
    services = YAML(typ="safe").load(tmp_path / "stack" / "stack.yaml")["services"]
    named = {name for _, command in ENGINES for name in re.findall(r"\bjupytercloud_(\w+)", command)}
    assert {"hub", "traefik"} <= named <= set(services)
