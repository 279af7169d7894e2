"""The tutorial, word by word, by a newcomer without root in a fresh Debian: every command that stands on the page.

What cannot be typed there (looking at pages, editing a file) is done as the sentence beside it says. Root makes the
Debian; what pip and npm download is kept beside the engines' builds. Minutes long: collected by its name only,
``pytest tests/tutorial.py``.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.engines import SCRIPTS, script
from tests.support.person import log_in, start_server
from tests.support.ports import free_port

pytestmark = [pytest.mark.engines, pytest.mark.timeout(900)]

PAGE = (ROOT / "docs/tutorial.md").read_text()
FIRST_HUB = (ROOT / "docs/howto/first-hub.md").read_text()
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/portal/")
UP_SECONDS = 500


def blocks(page: str, kind: str) -> list[str]:
    """The page's blocks of one kind, in order, without their indentation."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^\1```", page, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


class Newcomer:
    """Somebody at a shell in that Debian; what she exports and where she goes stays so."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.before = ["cd", "export PIP_CACHE_DIR=/srv/cache/pip"]

    @property
    def home(self) -> Path:
        return self.tree / "home/newcomer"

    def _command(self, words: str) -> list[str]:
        return [str(SCRIPTS / "tutorial.sh"), "in", str(self.tree), "\n".join([*self.before, words])]

    def types(self, words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Type a block and wait for its end."""
        done = subprocess.run(self._command(words), capture_output=True, text=True, timeout=seconds, check=False)
        self.before += [line for line in words.splitlines() if line.startswith("export ")]
        return done

    def starts(self, words: str, output: Path) -> subprocess.Popen[bytes]:
        """Type a command that goes on until Ctrl-C."""
        with output.open("wb") as file:
            return subprocess.Popen(
                self._command(f"exec {words}"), stdout=file, stderr=file, stdin=subprocess.PIPE, start_new_session=True
            )


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    if os.geteuid() != 0:
        pytest.fail("a Debian of its own needs root: make test-engines")
    tree = Path(script("tutorial.sh", "tree", timeout=600).stdout.strip())
    try:
        yield Newcomer(tree)
    finally:
        script("tutorial.sh", "down", str(tree))


def press_ctrl_c(process: subprocess.Popen[bytes], tree: Path) -> None:
    """What the terminal does: the signal goes to everything that runs in the foreground."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = (entry / "root").readlink() == tree
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if inside and b"jupytercloud" in words and b" demo" in words.replace(b"\0", b" "):
            os.kill(int(entry.name), signal.SIGINT)
            break
    process.wait(60)


def test_the_tutorial_word_by_word(newcomer: Newcomer, tmp_path: Path) -> None:
    node, clone, look = blocks(PAGE, "sh")
    done = newcomer.types(node)
    assert done.returncode == 0, done.stderr
    *clones, demo = clone.strip().splitlines()
    assert demo == "make demo"
    done = newcomer.types("\n".join(clones))
    assert done.returncode == 0, done.stderr
    newcomer.before.append("cd ~/jupytercloud-hub")
    # Nothing of the page: this Debian shares the machine's ports, and its downloads are kept.
    port = free_port() % 20_000 + 20_000
    newcomer.types("ln -s /srv/cache .cache")
    output = tmp_path / "demo.out"
    running = newcomer.starts(f"{demo} DEMO_ARGS='--port {port}'", output)
    try:
        deadline = time.monotonic() + UP_SECONDS
        while "Ctrl-C" not in output.read_text() or not ADDRESS.search(output.read_text()):
            assert running.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.5)
        table = output.read_text()
        portal = ADDRESS.search(table)
        assert portal
        # "log in as alice. Choose her university, type the password of the table."
        password = re.search(r"\balice\s+(\S+)", table)
        assert password, table
        alice = {"login": "alice", "password": password[1], "home_organization": "univ-grenoble.example"}
        client, page = log_in(alice, portal[0])
        assert "Grenoble" in page.text, "the portal knows where her files are"
        # "Follow the link: there is no second password. Choose PyCoA and start"
        site = f"http://127.0.0.1:{port + 2}/grenoble/"
        page = client.get(f"{site}hub/home")
        assert page.url.path.startswith("/grenoble/hub/home"), page.url
        page = start_server(client, site, "pycoa")
        deadline = time.monotonic() + 180
        while not page.url.path.startswith("/grenoble/user/"):
            assert time.monotonic() < deadline, page.text
            time.sleep(1)
            page = client.get(f"{site}hub/user-redirect/lab/tree/premiers-pas.ipynb")
        for service in ("culler", "quotas"):
            assert client.get(f"{site}services/{service}/").status_code == 200
        # "try somebody whom the table says is refused"
        refused = {"login": "karim", "password": "karim-demo", "home_organization": "institut-inconnu.example"}
        assert log_in(refused, portal[0])[1].status_code == 403
    finally:
        press_ctrl_c(running, newcomer.tree)
    copied = [line for line in look.strip().splitlines() if line.startswith("cp ")]
    done = newcomer.types(look)
    assert done.returncode == 1, "one profile can't start here, as the page says"
    assert "pycoa" in done.stdout
    assert "A100" in done.stdout.upper()
    # "Add a profile under profiles:"
    mine = newcomer.tree / copied[0].split()[-1].lstrip("/")
    (profile,) = blocks(PAGE, "yaml")
    with_mine = mine.read_text().replace("profiles:\n  - name: pycoa", f"profiles:\n{profile}  - name: pycoa", 1)
    mine.write_text(with_mine)
    validate = f".venv/bin/jupytercloud settings validate {copied[0].split()[-1]}"
    done = newcomer.types(validate)
    assert done.returncode == 0, done.stdout + done.stderr
    # "and write 2 GB RAM instead of 2 GiB, to see a mistake"
    mine.write_text(with_mine.replace("memory: 2 GiB}", "memory: 2 GB RAM}", 1))
    done = newcomer.types(validate)
    assert done.returncode == 1
    assert re.search(r"mine\.yaml:\d+:\d+: .*memory.*2 GB RAM", done.stdout + done.stderr), done.stdout + done.stderr
    mine.write_text(with_mine)
    assert newcomer.types(validate).returncode == 0, "mended"
    # "A first hub of your own has the file and the three lines of jupyterhub_config.py"
    hub = newcomer.home / "hub"
    hub.mkdir()
    (hub / "jupytercloud.yaml").write_text(blocks(FIRST_HUB, "yaml")[0])
    (hub / "jupyterhub_config.py").write_text(blocks(FIRST_HUB, "python")[0])
    owner = newcomer.home.stat()
    for path in (hub, *hub.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)
    newcomer.before.append("export PATH=~/jupytercloud-hub/.venv/bin:$PATH HUB_CLIENT_SECRET=s3cret; cd ~/hub")
    assert newcomer.types("jupytercloud settings validate jupytercloud.yaml").returncode == 0
    # "each finding says how to mend it": nothing of the example's addresses is there
    done = newcomer.types("jupytercloud check --config jupytercloud.yaml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("À faire") + done.stdout.count("To mend it") >= 2, done.stdout
