"""``jupytercloud serve`` as an operator calls it by hand: what is missing is said, as wrong use."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main

BASE = 'site: {name: labo, url: "http://127.0.0.1:1/labo/"}\n'


@pytest.fixture
def serve(tmp_path, monkeypatch):
    for name in ("JUPYTERHUB_API_TOKEN", "JUPYTERHUB_SERVICE_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(words: str, *args: str, lang: str = "en"):
        (tmp_path / "a.yaml").write_text(words)
        command = ["serve", *args, "--config", str(tmp_path / "a.yaml")]
        return CliRunner().invoke(main, command, env={"LANG": lang})

    return run


@pytest.mark.parametrize(("lang", "words"), [("en", "is not set"), ("fr", "n'est pas définie")])
def test_without_the_hubs_environment_it_names_the_variable_that_is_missing(serve, lang, words):
    done = serve(BASE + "quotas: {}\n", "quotas", lang=lang)
    assert done.exit_code == 2
    assert f"JUPYTERCLOUD_QUOTAS_API_TOKEN {words}" in done.output


def test_a_hub_without_services_has_nothing_to_serve(serve):
    done = serve(BASE, "all")
    assert (done.exit_code, "this hub has no services" in done.output) == (2, True)


def test_a_service_that_there_is_not_and_a_file_with_mistakes_are_told(serve):
    assert serve(BASE, "quota").exit_code == 2
    done = serve("site: {nam: labo}\n", "quotas")
    assert (done.exit_code, "a.yaml:1:8" in done.output) == (1, True)
