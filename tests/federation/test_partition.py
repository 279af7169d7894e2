"""A site in a network of its own, cut off in one direction at a time: what routing decides and what pages say.

Two links join portal and site: probes take one, heartbeats the other, so that either can be cut alone. Root.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpserver import HTTPServer

from jupytercloud_hub.federation import signing
from jupytercloud_hub.federation.health import fresh
from jupytercloud_hub.federation.model import SiteState
from tests.federation.conftest import FakeSite, Portal, portal_of
from tests.support import ROOT
from tests.support.ports import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

PORTAL = """
site: {{name: portail, role: portal, url: "{portal}", contact: aide@portail.example, state: ./state}}
federation:
  sites:
    - {{name: grenoble, title: Grenoble, url: "{site}", key: "{key}", operators: [admin]}}
    - {{name: reims, title: Reims, url: "{other}"}}
  rules: [{{name: everybody, allow: ["*"], prefer: [grenoble]}}]
  health: {{interval: 0.5 s, timeout: 1 s, longest: 2 s, heartbeat_expires: 6 s, ramp: 0 s}}
"""
SITE = """
site: {{name: grenoble, url: "{site}", state: ./state-site}}
profiles: [{{name: lab, title: Carnet}}]
spawner: {{backend: local, places: {{"*": 3}}}}
federation: {{portal: {{url: "{portal}", interval: 0.5 s}}}}
"""
ENGLISH = {"accept-language": "en"}


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


class Link:
    """A network of two, one end in the namespace; either end can be pulled out."""

    def __init__(self, name: str, number: int, namespace: str) -> None:
        self.here, self.there, self._namespace = f"{name}h", f"{name}t", namespace
        self.portal, self.site = f"10.213.{number}.1", f"10.213.{number}.2"
        run("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", namespace)
        run("ip", "addr", "add", f"{self.portal}/30", "dev", self.here)
        run("ip", "-n", namespace, "addr", "add", f"{self.site}/30", "dev", self.there)
        self.plug()

    def plug(self) -> None:
        run("ip", "link", "set", self.here, "up")
        run("ip", "-n", self._namespace, "link", "set", self.there, "up")

    def pull(self, *, at_site: bool) -> None:
        if at_site:
            run("ip", "-n", self._namespace, "link", "set", self.there, "down")
        else:
            run("ip", "link", "set", self.here, "down")


@contextlib.contextmanager
def namespace() -> Iterator[tuple[str, Link, Link]]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root: make test-engines")
    pid = os.getpid()
    name, number = f"jc{pid}", pid % 124
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name, Link(f"jp{pid}", 2 * number, name), Link(f"jb{pid}", 2 * number + 1, name)
    finally:
        run("ip", "netns", "del", name)  # its ends of the links go with it, and the other ends with them


def certificate(file: Path, *addresses: str) -> Path:
    """Write a key and its own certificate for these addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "partition")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]), False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class Stand(SimpleNamespace):
    """The portal, and the two links."""

    portal: Portal
    probes: Link
    beats: Link
    log: Path

    def beat(self) -> tuple[bool, datetime | None]:
        """Return whether the site's last heartbeat is believed, and when it was made."""
        service = self.portal.service
        last = service.board.known["grenoble"].heartbeat
        return last is not None and fresh(last, service.now(), service.federation.health), last.sent if last else None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.05)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    other = FakeSite()
    await other.start()
    with namespace() as (name, probes, beats):
        chain = certificate(tmp_path / "tls.pem", probes.site, beats.portal)
        port, site_port = free_port(), 8443
        urls = {
            "portal": f"https://{beats.portal}:{port}/portal/",
            "site": f"https://{probes.site}:{site_port}/site/",
            "other": other.url,
        }
        key = signing.public_text(signing.kept_key(tmp_path / "state-site" / signing.KEY_FILE))
        (tmp_path / "jupytercloud.yaml").write_text(PORTAL.format(**urls, key=key))
        (tmp_path / "site.yaml").write_text(SITE.format(**urls))
        believed = ssl.create_default_context(cafile=str(chain))

        def client(site):
            return httpx.AsyncClient(base_url=site.url, timeout=None, trust_env=False, verify=believed)

        log = tmp_path / "site.log"
        command = [sys.executable, "-m", "tests.federation.site_process", tmp_path / "site.yaml", probes.site]
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                "ip", "netns", "exec", name, *command, str(site_port), chain, cwd=ROOT, stdout=out, stderr=out
            )
        try:
            async with portal_of(tmp_path / "jupytercloud.yaml", make_client=client) as portal:
                application = portal.service.application()
                application.settings["hub_auth"] = portal.hub
                served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                served.load_cert_chain(chain)
                server = HTTPServer(application, ssl_options=served)
                server.listen(port, beats.portal)
                yield Stand(portal=portal, probes=probes, beats=beats, log=log)
                server.stop()
                await server.close_all_connections()
        finally:
            process.terminate()
            await process.wait()
            await other.kill()


async def test_cut_off_in_either_direction_and_joined_again(stand):
    portal, board = stand.portal, stand.portal.service.board
    await portal.until(grenoble="up", reims="up")
    await stand.until(lambda: stand.beat()[0])
    assert board.views["grenoble"].room() == 3
    assert (await portal.get("go/hub/")).status_code == 302  # marie is at home at Grenoble from now on

    # the portal can't reach the site, whose heartbeats still arrive
    stand.probes.pull(at_site=True)
    await portal.until(grenoble="down")
    before = stand.beat()[1]
    await stand.until(lambda: stand.beat()[1] > before)
    assert board.known["grenoble"].shown.state is SiteState.DOWN
    home = await portal.get("go/hub/", **ENGLISH)
    assert home.status_code == 503
    assert "Grenoble does not answer" in home.text
    assert "because your files are there" in home.text
    assert (await portal.get("api/v1/explain", person="simone")).json()["site"] == "reims"
    status = (await portal.get("status", person="", **ENGLISH)).text
    assert "Does not answer" in status
    await stand.until(lambda: "the portal shows this site as down" in stand.log.read_text())
    stand.probes.plug()
    await portal.until(grenoble="up")
    assert (await portal.get("go/hub/")).status_code == 302

    # the reverse: the portal reaches the site, whose heartbeats get lost
    stand.beats.pull(at_site=False)
    await stand.until(lambda: not stand.beat()[0])
    board.refresh()
    view = board.views["grenoble"]
    assert (view.state.routable, view.room(), view.profiles) == (True, None, None)  # free places are not known now
    assert (await portal.get("go/hub/")).status_code == 302
    operated = (await portal.get("operate", person="admin", **ENGLISH)).text
    assert "out of date" in operated
    await stand.until(lambda: "not sent" in stand.log.read_text() or "no answer in time" in stand.log.read_text())
    stand.beats.plug()
    await stand.until(lambda: stand.beat()[0])
    assert board.views["grenoble"].room() == 3
