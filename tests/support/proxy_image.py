"""The proxy's image for the tests' cluster: npm's configurable-http-proxy, as `make demo` runs it.

This machine's Node carries it, on top of the tests' notebook image.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

from .engines import NOTEBOOK
from .engines_kubernetes import Kubernetes
from .hub_image import add, build
from .proxy import proxy_command

PROXY = "local/proxy:test"
_MODULES = "opt/proxy/node_modules"
_COMMAND = f"/{_MODULES}/configurable-http-proxy/bin/configurable-http-proxy"
_DOCKERFILE = f"""FROM {NOTEBOOK}
ADD proxy.tar /
ENTRYPOINT []
USER 65534
CMD ["configurable-http-proxy"]
"""


def load_proxy_image(cluster: Kubernetes) -> None:
    """Build the image on each node of the tests' own cluster."""
    modules = Path(proxy_command()[1]).parents[2]
    node = shutil.which("node")
    assert node, "node is missing"
    packed, context = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(Path(node).resolve(), "usr/local/bin/node")
        tar.add(modules, _MODULES)
        command = tarfile.TarInfo("usr/local/bin/configurable-http-proxy")
        command.type, command.linkname = (
            tarfile.SYMTYPE,
            f"/{_MODULES}/configurable-http-proxy/bin/configurable-http-proxy",
        )
        tar.addfile(command)
    with tarfile.open(fileobj=context, mode="w") as tar:
        add(tar, "Dockerfile", _DOCKERFILE.encode())
        add(tar, "proxy.tar", packed.getvalue())
    build(cluster, PROXY, context.getvalue())
