"""``jupytercloud check``: certificates, disks, and the reports that machines read."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupytercloud_hub.cli import check
from jupytercloud_hub.cli.checks import certificates, disk, run
from jupytercloud_hub.cli.checks.look import Look, looking
from jupytercloud_hub.cli.checks.reports import as_junit, as_textfile
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.contracts.text import Text
from jupytercloud_hub.settings import load

NOW = datetime.datetime.now(datetime.UTC)
GIB = 1024**3


def certificate(folder: Path, days: float) -> Path:
    """A certificate of localhost that is its own authority, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(days=90))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def looked(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Look]:
    """A look at a hub whose public address speaks TLS with a certificate of so many days."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, request.param))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "jupytercloud.yaml"
    file.write_text(f'site: {{name: labo, url: "https://localhost:{port}/labo/"}}\n')
    async with server, looking(load(file), "", None, "en") as at:
        yield at


@pytest.mark.parametrize(
    ("looked", "status", "said"),
    [(60.5, "ok", "for 60 days"), (10.5, "warning", "for 10 days"), (1.5, "error", "for 1 days")],
    indirect=["looked"],
)
async def test_a_certificate_is_told_before_it_ends(
    looked: Look, status: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(looked.settings.folder / "localhost.pem"))
    [finding] = await certificates.look(looked)
    assert (finding.status, said in str(finding.what)) == (status, True)
    assert (finding.mend is None) == (status == "ok")


@pytest.mark.parametrize("looked", [60, -1], indirect=True)
async def test_a_certificate_that_is_not_trusted_or_has_ended_is_an_error(looked: Look) -> None:
    [finding] = await certificates.look(looked)
    assert finding.status == "error"
    assert "localhost" in str(finding.what)


@pytest.mark.parametrize("looked", [60], indirect=True)
async def test_who_does_not_answer_is_left_to_the_area_that_tells_so(looked: Look) -> None:
    elsewhere = looked.settings.model_copy(
        update={"site": looked.settings.site.model_copy(update={"url": "https://localhost:1/labo/"})}
    )
    assert await certificates.look(Look(elsewhere, looked.client)) == []


@pytest.mark.parametrize("looked", [60], indirect=True)
@pytest.mark.parametrize(
    ("free", "inodes", "status", "said"),
    [
        (500 * GIB, 0.5, "ok", "free on the disk"),
        (20 * GIB, 0.5, "warning", "(2 %)"),
        (GIB // 8, 0.5, "error", "128 MiB free"),
        (500 * GIB, 0.03, "warning", "inodes"),
        (500 * GIB, 0.001, "error", "inodes"),
    ],
)
async def test_a_disk_is_told_before_it_is_full(
    looked: Look, free: int, inodes: float, status: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(
        f_bavail=free // 4096, f_frsize=4096, f_blocks=1000 * GIB // 4096, f_favail=inodes * 1e6, f_files=1e6
    )
    monkeypatch.setattr("os.statvfs", lambda _: room)
    [finding] = await disk.look(looked)
    assert (finding.status, said in str(finding.what)) == (status, True), str(finding.what)
    assert (finding.mend is None) == (status == "ok")


@pytest.mark.parametrize("looked", [60], indirect=True)
async def test_a_folder_where_nothing_can_be_written_is_an_error(looked: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    assert "can't write in" in str((await disk.look(looked))[0].what)


FOUND = [
    Finding("hub", "ok", Text("all is well")),
    Finding("hub", "error", Text("the hub is away"), Text("Start it."), Text("nobody gets in")),
    Finding("disk", "warning", Text("little room"), Text("Tidy up.")),
    Finding("proxy", "skipped", Text("not seen"), Text("Give a token.")),
]


def test_continuous_integration_reads_each_finding_as_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    suite = ElementTree.fromstring(as_junit(FOUND))
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "1",
    }
    failed = suite.find("testcase[@name='the hub is away']/failure")
    assert failed is not None
    assert failed.text == "nobody gets in\nStart it."


def test_prometheus_reads_a_count_for_each_area_and_status_that_goes_back_to_0() -> None:
    lines = as_textfile(FOUND).decode().splitlines()
    assert 'jupytercloud_check_findings{area="hub",status="error"} 1.0' in lines
    assert 'jupytercloud_check_findings{area="disk",status="error"} 0.0' in lines
    assert any(line.startswith("jupytercloud_check_timestamp_seconds ") for line in lines)


def test_both_reports_are_written_whole_beside_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_of_it(*_: object) -> list[Finding]:
        return FOUND

    monkeypatch.setattr(run, "look_at_all", all_of_it)
    (tmp_path / "jupytercloud.yaml").write_text('site: {name: labo, url: "http://127.0.0.1:1/labo/"}\n')
    arguments = ["--config", str(tmp_path / "jupytercloud.yaml"), "--json"]
    done = CliRunner().invoke(
        check.command, [*arguments, "--junit", str(tmp_path / "j.xml"), "--textfile", str(tmp_path / "t.prom")]
    )
    assert done.exit_code == 1
    assert '"error": 1' in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j.xml", "jupytercloud.yaml", "t.prom"]
    nowhere = CliRunner().invoke(check.command, [*arguments, "--junit", str(tmp_path / "no/j.xml")])
    assert nowhere.exit_code == 2
    assert "j.xml" in nowhere.output
