import json
import os
import tarfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.profiles.catalogue import WorkFile
from jupytercloud_hub.spawners.homes import give_files, make_home
from jupytercloud_hub.spawners.homes_kept import HomeError, archive, delete, kept

SETTINGS = 'site: {name: grenoble, url: "http://127.0.0.1:8000/", state: state}\nspawner: {backend: local}\n'
DAY = 86400


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    folder = tmp_path / "state" / "homes"
    for name, days in (("anna", 400), ("ben", 1)):
        home = folder / name
        make_home(home)
        (home / "work").mkdir()
        file = home / "work" / "notes.txt"
        file.write_text("x" * 5000)
        for path in (file, home / "work", home):
            os.utime(path, (time.time() - days * DAY,) * 2)
    (tmp_path / "jupytercloud.yaml").write_text(SETTINGS)
    return folder


def run(homes: Path, *arguments: str, code: int = 0) -> str:
    config = homes.parents[1] / "jupytercloud.yaml"
    done = CliRunner().invoke(main, ["homes", *arguments, "--config", str(config)], env={"LANG": "en"})
    assert done.exit_code == code, done.output
    return done.output


def test_homes_are_listed_with_size_and_last_use(homes: Path) -> None:
    assert [home.slug for home in kept(homes)] == ["anna", "ben"]
    assert [entry["name"] for entry in json.loads(run(homes, "list", "--inactive", "180 d", "--json"))] == ["anna"]
    assert json.loads(run(homes, "list", "--json"))[0]["bytes"] >= 5000


def test_archive_holds_everything_and_leaves_the_home(homes: Path, tmp_path: Path) -> None:
    path = Path(run(homes, "archive", "anna", "--to", str(tmp_path / "away")).strip())
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as tar:
        assert "anna/work/notes.txt" in tar.getnames()
    assert (homes / "anna" / "work" / "notes.txt").exists()
    run(homes, "archive", "anna", "--to", str(tmp_path / "away"), code=1)


def test_home_is_deleted_only_when_the_operator_says_so(homes: Path) -> None:
    config = homes.parents[1] / "jupytercloud.yaml"
    no = CliRunner().invoke(main, ["homes", "delete", "anna", "--config", str(config)], input="n\n")
    assert no.exit_code == 1
    assert (homes / "anna").exists()
    run(homes, "delete", "anna", "--yes")
    assert not (homes / "anna").exists()


@pytest.mark.parametrize("name", ["nobody", "../homes/ben", ".", "..", "ben/work", "link"])
def test_nothing_but_a_home_is_touched(homes: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (homes / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HomeError):
        delete(homes, name)
    with pytest.raises(HomeError):
        archive(homes, name, tmp_path / "away")
    assert (homes / "ben" / "work" / "notes.txt").exists()
    assert (tmp_path / "elsewhere").exists()


def test_files_are_given_once_and_never_through_a_persons_own_link(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    make_home(home)
    outside.mkdir()
    (tmp_path / "first.ipynb").write_text("ours")
    (home / "away").symlink_to(outside)
    files = [
        WorkFile(source="first.ipynb", target="first.ipynb"),
        WorkFile(source="first.ipynb", target="away/first.ipynb"),
    ]
    give_files(home, files, tmp_path)
    (home / "first.ipynb").write_text("hers")
    give_files(home, files, tmp_path)
    assert (home / "first.ipynb").read_text() == "hers"
    assert list(outside.iterdir()) == []
