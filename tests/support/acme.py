"""Pebble, Let's Encrypt's own small ACME server, with a DNS that leads every name to one address."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.ports import free_port


@dataclass(frozen=True)
class Authority:
    """Its directory's address, and where it tells its root certificate."""

    directory: str
    management: str
    trust: ssl.SSLContext

    def root(self) -> str:
        """Return the certificate, PEM, under which its own are believed; another one in each process."""
        return httpx.get(f"{self.management}/roots/0", verify=self.trust, trust_env=False, timeout=30).text


@contextlib.contextmanager
def pebble(folder: Path, address: str, pems: dict[str, Path], leads_to: str, http_port: int) -> Iterator[Authority]:
    """Run it on an address of this machine; names are proved at ``leads_to``, on a port that stands for 80."""
    dns, listen, management = free_port(), free_port(address), free_port(address)
    settings = {
        "listenAddress": f"{address}:{listen}",
        "managementListenAddress": f"{address}:{management}",
        "certificate": str(pems["certificate"]),
        "privateKey": str(pems["key"]),
        "httpPort": http_port,
        "tlsPort": http_port + 1,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    names = ["pebble-challtestsrv", "-defaultIPv4", leads_to, "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}"]
    names += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{free_port()}"]
    program = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns}"]
    made = Authority(
        f"https://{address}:{listen}/dir",
        f"https://{address}:{management}",
        ssl.create_default_context(cafile=str(pems["authority"])),
    )
    with (folder / "pebble.log").open("wb") as log:
        running = [
            subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"})
            for command in (names, program)
        ]
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                made.root()
                break
            assert time.monotonic() < end, (folder / "pebble.log").read_text()
            time.sleep(0.1)
        yield made
    finally:
        for process in running:
            process.terminate()
            process.wait(20)
