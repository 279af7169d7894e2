"""What the images can do under the hardest rules: no network, any uid, nothing to write, no capability.

Not collected by itself: building them from stand-in bases takes many minutes. As root:

    python -m pytest -s -m engines tests/images/in_the_images.py
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1800)]
DOCKER = [str(ROOT / "tests" / "engines" / "image" / "builder.sh"), "docker"]
REGISTRY = "registry.jupytercloud.example.fr/jupytercloud"
HARD = [
    *("--network=none", "--user=1234567:0", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--tmpfs=/tmp", "--tmpfs=/home/jovyan:mode=1777"),
]

RUN = """
import json, sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
print(json.dumps([
    output["data"]["application/javascript"]
    for cell in notebook.cells if cell.cell_type == "code"
    for output in cell.outputs if "application/vnd.bokehjs_exec.v0+json" in output.get("data", {})
]))
"""


AS_THE_CHART = """
from tornado.httpclient import AsyncHTTPClient
AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")
AsyncHTTPClient()
import kubernetes_asyncio
c.JupyterHub.spawner_class = "profile-kubernetes"
c.JupyterHub.authenticator_class = "renater"
"""
"""What the chart's own configuration of the hub imports, and what ours adds."""

ALONE = """
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "profile-swarm"
c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # without a network the container has no name
c.JupyterHub.cookie_secret_file = "/tmp/cookie_secret"
c.JupyterHub.db_url = "sqlite:////tmp/jupyterhub.sqlite"
c.ConfigurableHTTPProxy.pid_file = "/tmp/proxy.pid"
"""

CONDA = """FROM {base}
USER 0
RUN echo '#!/bin/sh' >/opt/conda/bin/conda \\
 && echo 'python3 -m venv "$5" && exec "$5/bin/pip" install --quiet ipykernel' >>/opt/conda/bin/conda \\
 && chmod 755 /opt/conda/bin/conda
USER 1000
"""
"""docker-stacks' base has conda, the stand-in has not: this makes an environment of the Python that is there."""

PYCOA_222 = {
    "setup.py": "from setuptools import setup\nsetup(name='pycoa', version='2.22', packages=['coa'])\n",
    "coa/__init__.py": "",
    "coa/front.py": "line = '2.22'\n",
}
"""A source tree laid out as that of the 2.22 line: `import coa.front`."""


def docker(*command: str, check: bool = True, stdin: str | None = None) -> str:
    done = subprocess.run([*DOCKER, *command], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def logs(container: str) -> str:
    done = subprocess.run([*DOCKER, "logs", container], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    began = time.monotonic()
    built = subprocess.run(
        [str(ROOT / "images" / "build.sh"), "hub", "hub-kubernetes", "notebook-base", "pycoa"],
        env={**os.environ, "STAND_IN": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    print(f"\n{built.stdout}in {time.monotonic() - began:.0f} s")
    yield
    subprocess.run([DOCKER[0], "down"], check=True)


@pytest.mark.parametrize("image", ["notebook-base", "pycoa"])
def test_server_answers_with_no_network_an_arbitrary_uid_and_nothing_to_write(images: None, image: str) -> None:
    began = time.monotonic()
    container = docker("run", "--detach", *HARD, f"{REGISTRY}/{image}:0.1.0").strip()
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8888/api', timeout=5).read().decode())"
    try:
        while '"version"' not in docker("exec", container, "python3", "-c", ask, check=False):
            assert time.monotonic() - began < 300, docker("logs", container)
            time.sleep(0.2)
        print(f"\n{image}: /api answers {time.monotonic() - began:.1f} s after `docker run`")
        assert docker("exec", container, "id", "-u").strip() == "1234567"
        packages = docker(
            "exec", container, "python3", "-c", "import nbgitpuller, boto3, webdav4, jupytercloud_hub.culling.extension"
        )
        assert packages == ""
        assert "nbgitpuller" in docker("exec", container, "cat", "/opt/jupytercloud/licences.txt")
        sbom = json.loads(docker("exec", container, "cat", "/opt/jupytercloud/sbom.cdx.json"))
        assert len(sbom["components"]) > 50
    finally:
        docker("rm", "--force", container)


def test_exercise_by_buttons_is_shown_with_no_network(images: None) -> None:
    container = docker(
        "run", "--detach", *HARD, f"{REGISTRY}/pycoa:0.1.0", "start-notebook.py", "--ServerApp.token="
    ).strip()
    address = "http://127.0.0.1:8888/voila/render/exercice-salon.ipynb"
    ask = f"import urllib.request as r; print(r.urlopen({address!r}, timeout=120).read().decode())"
    began, page = time.monotonic(), ""
    try:
        while "jupyter-widgets" not in (page := docker("exec", container, "python3", "-c", ask, check=False)):
            assert time.monotonic() - began < 300, f"{page[-3000:]}\n{docker('logs', container)}"
            time.sleep(1)
        assert "cdn.jsdelivr.net/npm/@fortawesome" not in page
    finally:
        docker("rm", "--force", container)


def test_kernel_on_cvmfs_falls_back_on_the_images_own(images: None) -> None:
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='cvmfs', startup_timeout=120)\n"
        "print(client.execute_interactive('print(6 * 7)', timeout=120)['content']['status'])\n"
        "manager.shutdown_kernel(now=True)\n"
    )
    said = docker("run", "--rm", *HARD, f"{REGISTRY}/notebook-base:0.1.0", "start.sh", "python3", "-c", code)
    assert said.split() == ["42", "ok"]


@pytest.mark.parametrize(("notebook", "figures"), [("premiers-pas", 3), ("exercice-salon", 2)])
def test_pupils_notebooks_draw_with_no_network_and_say_that_the_data_are_made_up(
    images: None, notebook: str, figures: int
) -> None:
    began = time.monotonic()
    said = docker(
        "run", "--rm", *HARD, f"{REGISTRY}/pycoa:0.1.0", "start.sh", "python3", "-c", RUN, f"{notebook}.ipynb"
    )
    shown = json.loads(said.splitlines()[-1])
    assert len(shown) == figures
    for figure in shown:
        assert "données fictives" in figure or json.dumps("données fictives").strip('"') in figure
    print(f"\n{notebook}: {figures} figures, {time.monotonic() - began:.0f} s with the container's start")


def test_hub_for_kubernetes_is_the_charts_image_with_jupyterhub_6_and_this_package(images: None) -> None:
    script = """set -e
pwd
jupyterhub --version
jupytercloud --help >/dev/null
git --version >/dev/null
printf '%s' "$0" >/tmp/config.py
python3 -c "
from jupyterhub.app import JupyterHub
hub = JupyterHub()
hub.load_config_file('/tmp/config.py')
print(hub.authenticator_class.__name__, hub.spawner_class.__name__)
\""""
    said = docker("run", "--rm", *HARD, f"{REGISTRY}/hub-kubernetes:0.1.0", "sh", "-c", script, AS_THE_CHART)
    folder, version, *_, classes = said.splitlines()
    assert folder == "/srv/jupyterhub", "the chart mounts its claim there"
    assert version.startswith("6.")
    assert classes == "RenaterAuthenticator ProfileKubernetesSpawner"


def test_hub_and_its_proxy_answer_under_the_hardest_rules(images: None) -> None:
    start = """printf '%s' "$0" >/tmp/config.py && exec jupyterhub --config /tmp/config.py"""
    container = docker("run", "--detach", *HARD, f"{REGISTRY}/hub:0.1.0", "sh", "-c", start, ALONE).strip()
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/hub/health', timeout=5).status)"
    began = time.monotonic()
    try:
        while docker("exec", container, "python3", "-c", ask, check=False).strip() != "200":
            assert time.monotonic() - began < 300, logs(container)
            time.sleep(0.5)
        print(f"\nhub: /hub/health answers {time.monotonic() - began:.1f} s after `docker run`")
        assert docker("exec", container, "id", "-u").strip() == "1234567"
    finally:
        docker("rm", "--force", container)


def test_line_of_222_is_a_kernel_of_its_own(images: None, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pycoa-2.22.tar.gz", "w:gz") as tar:
        for name, text in PYCOA_222.items():
            entry = tarfile.TarInfo(f"pycoa-2.22/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        line = f"http://127.0.0.1:{server.server_port}/pycoa-2.22.tar.gz"
        docker("build", "-t", "test/conda", "-", stdin=CONDA.format(base=f"{REGISTRY}/notebook-base:0.1.0"))
        given = ("--build-arg", "BASE=test/conda", "--build-arg", f"PYCOA_LINE={line}")
        docker("build", "--network", "host", "-t", "test/pycoa-222", *given, "--file", "images/pycoa/Dockerfile", ".")
        server.shutdown()
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='pycoa-line', startup_timeout=120)\n"
        "client.execute_interactive('import coa.front, sys; print(coa.front.line, sys.prefix)', timeout=120)\n"
        "manager.shutdown_kernel(now=True)\n"
    )
    said = docker("run", "--rm", *HARD, "test/pycoa-222", "start.sh", "python3", "-c", code)
    assert said.split() == ["2.22", "/opt/pycoa-line"]
