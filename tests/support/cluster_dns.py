"""The cluster's DNS: names of services, at the address that kubelets give to pods.

As the tests' own cluster has none, it runs in the network of node 1 for as long as a test needs it; it asks the API.

    python -m tests.support.cluster_dns KUBECTL KUBECONFIG ADDRESS
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import ROOT
from .engines import node_process
from .engines_kubernetes import Kubernetes

DOMAIN = "svc.cluster.local"
FRESH = 2.0
A, NO_ERROR, NO_SUCH_NAME = 1, 0, 3


@contextmanager
def cluster_dns(cluster: Kubernetes) -> Iterator[None]:
    """Answer pods that ask for ``name``, ``name.namespace`` or ``name.namespace.svc.cluster.local``."""
    cluster.need_own("a DNS server on a node")
    address = cluster.get("node", cluster.nodes[0])["status"]["addresses"][0]["address"]
    inside = ["nsenter", "--target", str(node_process("kubernetes", 1)), "--net", "--"]
    command = [*inside, sys.executable, "-m", __name__, cluster.program, str(cluster.kubeconfig), address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            if not server.stdout or server.stdout.readline().strip() != "listening":
                raise RuntimeError(f"no DNS at {address}: it ended with {server.wait()}")
            yield
        finally:
            server.terminate()


def services(kubectl: list[str]) -> dict[str, str]:
    """Return the addresses of all services, by their whole names."""
    done = subprocess.run(
        [*kubectl, "get", "services", "-A", "-o", "json"], capture_output=True, check=True, timeout=20
    )
    return {
        f"{one['metadata']['name']}.{one['metadata']['namespace']}.{DOMAIN}": one["spec"]["clusterIP"]
        for one in json.loads(done.stdout)["items"]
        if one["spec"].get("clusterIP") not in (None, "None")
    }


def answer(question: bytes, known: dict[str, str]) -> bytes:
    """Answer one question: an address where one is asked for, nothing where another kind of record is."""
    number, flags = struct.unpack_from("!HH", question)
    labels, place = [], 12
    while length := question[place]:
        labels.append(question[place + 1 : place + 1 + length].decode("ascii", "replace").lower())
        place += 1 + length
    (kind,) = struct.unpack_from("!H", question, place + 1)
    asked, address = question[12 : place + 5], known.get(".".join(labels))
    found = [address] if address and kind == A else []
    flags = 0x8480 | flags & 0x0100 | (NO_ERROR if address else NO_SUCH_NAME)
    records = b"".join(struct.pack("!HHHIH", 0xC00C, A, 1, 1, 4) + socket.inet_aton(one) for one in found)
    return struct.pack("!HHHHHH", number, flags, 1, len(found), 0, 0) + asked + records


def serve(kubectl: list[str], address: str) -> None:
    known: dict[str, str] = {}
    asked = -FRESH
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, 53))
        print("listening", flush=True)
        while True:
            question, whose = door.recvfrom(512)
            try:
                if time.monotonic() - asked > FRESH:
                    known, asked = services(kubectl), time.monotonic()
                door.sendto(answer(question, known), whose)
            except (IndexError, struct.error):
                pass  # not a question
            except (subprocess.SubprocessError, ValueError) as error:
                print(error, file=sys.stderr, flush=True)  # the asker asks again


if __name__ == "__main__":
    serve([sys.argv[1], "--kubeconfig", sys.argv[2]], sys.argv[3])
