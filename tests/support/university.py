"""Certificates of a private authority, and LemonLDAP::NG with one of them on an address that other machines reach."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import lemonldap
from tests.support.ports import free_port


def certificates(folder: Path, *addresses: str, by: dict[str, Path] | None = None) -> dict[str, Path]:
    """Make a certificate for these IP addresses, and an authority where none is given (``by``)."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)

    def sign(
        name: str, issuer: x509.Name | None, by: ec.EllipticCurvePrivateKey, own: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(own.public_key())
        )
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(days=2)
        )
        made = made.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        if issuer is not None:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(by, hashes.SHA256())

    pem = serialization.Encoding.PEM

    def private(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    key = ec.generate_private_key(ec.SECP256R1())
    if by is None:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = sign("authority of a test", None, authority_key, authority_key)
    else:
        loaded = serialization.load_pem_private_key(by["authority_key"].read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        authority_key, authority = loaded, x509.load_pem_x509_certificate(by["authority"].read_bytes())
    files = {
        "authority": authority.public_bytes(pem),
        "authority_key": private(authority_key),
        "certificate": sign("a test", authority.subject, authority_key, key).public_bytes(pem),
        "key": private(key),
    }
    files["both"] = files["certificate"] + files["key"]
    for name, content in files.items():
        (folder / f"{name}.pem").write_bytes(content)
    return {name: folder / f"{name}.pem" for name in files}


class University:
    """LemonLDAP::NG, and what its operators do for a hub."""

    def __init__(self, folder: Path, port: int, issuer: str, hub_url: str) -> None:
        self.folder, self.port, self.issuer = folder, port, issuer
        self._running = contextlib.AsyncExitStack()
        lemonldap.configure(folder, issuer, hub_url)

    async def start(self) -> None:
        await self._running.enter_async_context(lemonldap.running(self.folder, self.port))

    async def end(self) -> None:
        await self._running.aclose()

    async def new_client_secret(self, secret: str) -> None:
        await self.end()
        lemonldap.new_client_secret(self.folder, secret)
        await self.start()


@contextlib.contextmanager
def tls_front(folder: Path, address: str, port: int, pems: dict[str, Path], target: str) -> Iterator[None]:
    """Run HAProxy with TLS on an address that other machines reach; ``target`` is ``host:port``."""
    file = folder / f"front-{port}.cfg"
    file.write_text(
        "global\n  maxconn 100\ndefaults\n  mode http\n  option forwardfor\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout tunnel 1h\n"
        f"listen tls\n  bind {address}:{port} ssl crt {pems['both']}\n"
        f"  http-request set-header X-Forwarded-Proto https\n  server behind {target}\n"
    )
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    front = subprocess.Popen([haproxy, "-db", "-f", str(file)])
    try:
        yield
    finally:
        front.terminate()
        front.wait(20)


@contextlib.asynccontextmanager
async def university(folder: Path, address: str, pems: dict[str, Path], hub_url: str) -> AsyncIterator[University]:
    """Run LemonLDAP::NG behind TLS on an address that the engine's nodes reach."""
    inner, outer = free_port(), free_port(address)
    made = University(folder / "lemonldap", inner, f"https://{address}:{outer}", hub_url)
    with tls_front(folder, address, outer, pems, f"127.0.0.1:{inner}"):
        try:
            await made.start()
            yield made
        finally:
            await made.end()
