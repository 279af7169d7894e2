"""What the notebook images can do under the hardest rules: no network, any uid, nothing to write, no capability.

Not collected by itself: building them from stand-in bases takes some minutes. As root:

    python -m pytest -s -m engines tests/images/in_the_images.py
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator

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


def docker(*command: str, check: bool = True) -> str:
    done = subprocess.run([*DOCKER, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    began = time.monotonic()
    built = subprocess.run(
        [str(ROOT / "images" / "build.sh"), "notebook-base", "pycoa"],
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
