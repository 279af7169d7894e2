import http.server
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from jupytercloud_hub.settings import SettingsError, load

SITE = 'site: {name: grenoble, url: "http://127.0.0.1:8000/"}\nspawner: {backend: local}\n'
CATALOGUE = """
profiles:
  - {name: base, abstract: true, title: Base, resources: {cpu: 2}}
  - {name: lab, extends: base, title: Lab}
"""
SUM = sha256(CATALOGUE.encode()).hexdigest()


def written(folder: Path, profiles: str, catalogue: str = CATALOGUE) -> Path:
    (folder / "catalogue.yaml").write_text(catalogue)
    path = folder / "jupytercloud.yaml"
    path.write_text(f"{SITE}profiles: {profiles}\n")
    return path


def said(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize("profiles", ["{file: catalogue.yaml}", f"{{file: catalogue.yaml, sha256: {SUM}}}"])
def test_catalogue_in_a_file_is_read_as_if_it_stood_here(tmp_path: Path, profiles: str) -> None:
    settings = load(written(tmp_path, profiles))
    assert [(profile.name, profile.resources.cpu.limit) for profile in settings.profiles] == [("base", 2), ("lab", 2)]


def test_mistakes_are_told_with_the_catalogues_own_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, "{file: catalogue.yaml}", CATALOGUE.replace("cpu: 2", "cpu: two"))
    assert f"{tmp_path / 'catalogue.yaml'}:3:" in said(path)
    assert "profiles[0].resources.cpu" in said(path)


@pytest.mark.parametrize(
    ("profiles", "rule"),
    [
        ("{file: nothing.yaml}", "can't be read"),
        (f"{{file: catalogue.yaml, sha256: {'a' * 64}}}", "another checksum"),
        ("{url: 'https://example.org/c.yaml'}", "sha256 is needed with url"),
        (f"{{url: 'http://example.org/c.yaml', sha256: {SUM}}}", "https"),
        ("{fil: catalogue.yaml}", "there is no such key"),
        ("{}", "one of file and url"),
    ],
)
def test_catalogue_that_cannot_be_had_is_a_mistake_of_this_file(tmp_path: Path, profiles: str, rule: str) -> None:
    path = written(tmp_path, profiles)
    assert f"{path}:3:" in said(path)
    assert rule in said(path)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CATALOGUE.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/catalogue.yaml"
    server.shutdown()
    server.server_close()


def test_what_came_by_address_is_kept_and_needs_no_network_again(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    path = written(tmp_path, f"{{url: '{served}', sha256: {SUM}}}")
    assert len(load(path).profiles) == 2
    away = path.read_text().replace(served, "https://host.invalid/c.yaml")
    path.write_text(away)
    assert len(load(path).profiles) == 2
