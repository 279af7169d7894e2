"""What ``helm-values`` gives each site, and how the command tells what it found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.deploy import argocd, render
from jupytercloud_hub.deploy.chart import chart_keys
from jupytercloud_hub.deploy.places import Place, Values, layered, read_one
from jupytercloud_hub.deploy.secret_words import in_clear, is_reference
from jupytercloud_hub.deploy.tree import Tree
from jupytercloud_hub.deploy.validate import validate
from tests.support import ROOT

HELM_VALUES = ROOT / "helm-values"


@pytest.fixture
def two_layers(tmp_path: Path) -> tuple[Values, Values]:
    (tmp_path / "one.yaml").write_text("a: {b: 1, c: [1, 2]}\nd: {e: {f: 1}}\ng: |\n  first\n  second\n")
    (tmp_path / "two.yaml").write_text("a:\n  c: [3]\nd: null\n")
    return read_one(tmp_path / "one.yaml")[0], read_one(tmp_path / "two.yaml")[0]


def test_layers_are_laid_as_helm_does_and_each_key_keeps_its_place(two_layers: tuple[Values, Values]) -> None:
    merged = layered(list(two_layers))
    assert merged.data == {"a": {"b": 1, "c": [3]}, "d": None, "g": "first\nsecond\n"}
    file, over = merged.place(("a", "b")).file, merged.place(("a", "c")).file
    assert Path(file).name == "one.yaml"
    assert merged.place(("a", "c", 0)) == Place(over, 2, 7)
    assert Path(over).name == "two.yaml"
    assert ("d", "e") not in merged.places, "what null took away has no place any more"
    assert merged.first_lines["g",] == 4
    assert two_layers[0].data["a"] == {"b": 1, "c": [1, 2]}, "the layers themselves stay as they were"


def test_five_sites_the_portal_and_the_event_are_looked_at() -> None:
    report = validate(HELM_VALUES)
    sites = {"grenoble", "montpellier", "paris-saclay", "reims", "strasbourg"}
    assert {*report.looked_at} == {*sites, "portal", "event/kubernetes", "event/openshift"}


def test_application_set_makes_one_application_for_each_site() -> None:
    document, problems = read_one(HELM_VALUES / "argocd" / "sites.yaml")
    assert problems == []
    made = {name: application for name, application, _ in argocd.expand(document, ROOT)}
    assert sorted(made) == ["grenoble", "montpellier", "paris-saclay", "reims", "strasbourg"]
    reims = made["reims"]
    assert isinstance(reims, dict)
    assert reims["metadata"]["name"] == "jupytercloud-reims"
    assert reims["spec"]["destination"]["namespace"] == "jupytercloud-reims"
    files = reims["spec"]["sources"][0]["helm"]["valueFiles"]
    assert [path.rpartition("helm-values/")[2] for path in files] == [
        "common.yaml",
        "openshift.yaml",
        "sites/reims/values.yaml",
        "sites/reims/secrets.yaml",
    ]
    combination = next(one for one in Tree(HELM_VALUES).combinations(["reims"])[0])
    assert [path.relative_to(ROOT).as_posix() for path in combination.files] == [
        path.removeprefix("$values/") for path in files
    ], "what is validated is what Argo CD deploys"


@pytest.mark.parametrize(
    "value",
    [
        "ref+vault://jupytercloud/reims/chart#/proxy-token",
        "ENC[AES256_GCM,data:1aF+,iv:Zm9v,tag:YmFy,type:str]",
        "<path:secret/data/jupytercloud/reims#proxy-token>",
    ],
)
def test_reference_to_a_secret_is_no_secret(value: str) -> None:
    assert is_reference(value)
    assert list(in_clear(Values({"proxy": {"secretToken": value}}))) == []


def test_file_that_sops_encrypted_is_taken(tmp_path: Path) -> None:
    import shutil

    tree = Path(shutil.copytree(HELM_VALUES, tmp_path / "helm-values"))
    cipher = "ENC[AES256_GCM,data:1aF+,iv:Zm9v,tag:YmFy,type:str]"
    path = tree / "sites" / "reims" / "secrets.yaml"
    clear = YAML(typ="safe").load(path)
    clear["hub"]["db"]["password"] = cipher
    clear["hub"]["config"] = {
        "ConfigurableHTTPProxy": {"auth_token": cipher},
        "JupyterHub": {"cookie_secret": cipher},
        "CryptKeeper": {"keys": [cipher]},
    }
    with path.open("w") as stream:
        YAML().dump({**clear, "sops": {"mac": cipher, "version": "3.9.0"}}, stream)
    assert validate(tree, ["reims"]).problems == ()


def test_command_tells_in_french_and_as_json_and_ends_with_1(tmp_path: Path) -> None:
    import shutil

    tree = Path(shutil.copytree(HELM_VALUES, tmp_path / "helm-values"))
    path = tree / "sites" / "reims" / "values.yaml"
    path.write_text(path.read_text().replace("client_id", "client_di"))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "client_di" in text)
    asked = CliRunner().invoke(main, ["helm-values", "validate", str(tree), "reims"], env={"LANG": "fr_FR.UTF-8"})
    assert asked.exit_code == 1
    assert (
        f"{path}:{line}:11: hub.extraFiles.jupytercloud.data.auth.client_di\u00a0: cette clé n'existe pas"
        in asked.output
    )
    asked = CliRunner().invoke(main, ["helm-values", "validate", str(tree), "reims", "--json"], env={"LANG": "en"})
    said = json.loads(asked.stdout)
    assert not said["valid"]
    wrong = next(one for one in said["problems"] if one["key"].endswith("client_di"))
    assert (wrong["line"], wrong["hint"]) == (line, "Did you mean client_id?")


def test_command_names_the_nearest_site_and_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    asked = CliRunner().invoke(main, ["helm-values", "validate", str(HELM_VALUES), "renims"], env={"LANG": "en"})
    assert asked.exit_code == 1
    assert "no site has this name (here: renims). Did you mean reims?" in asked.output
    asked = CliRunner().invoke(main, ["helm-values", "validate", f"{tmp_path}/none"], env={"LANG": "en"})
    assert asked.exit_code == 2


def test_gitlab_goes_from_stage_to_stage_and_validates_before_each() -> None:
    pipeline = YAML(typ="safe").load(HELM_VALUES / "gitlab-ci.yml")
    assert pipeline["stages"] == ["validate", "test", "pre-production", "production"]
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "stage" in job}
    assert {job["stage"] for job in jobs.values()} == set(pipeline["stages"])
    assert jobs["to-production"]["needs"] == ["to-pre-production"]
    for job in jobs.values():
        script = job.get("script") or pipeline[job["extends"]]["script"]
        assert any(line.startswith("jupytercloud helm-values validate helm-values") for line in script)
    assert pipeline["default"]["image"].partition(":")[0].endswith("/hub-kubernetes"), "it has git, the other has none"
    assert pipeline[".promote"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual"}]
    assert "rules" not in jobs["to-production"], "an operator's click, by .promote"


CHART = os.environ.get("Z2JH_CHART")
"""A zero-to-jupyterhub chart; no registry of packages has it, so these tests are for machines that hold one."""

if CHART:

    def test_real_chart_takes_every_combination_and_renders_twice_the_same() -> None:
        assert validate(HELM_VALUES, chart=Path(str(CHART))).problems == ()
        combination = Tree(HELM_VALUES).combinations(["reims"])[0][0]
        without = Values({**combination.values.data, "hub": {**combination.values.data["hub"], "config": {}}})
        assert [str(one.rule)[:18] for one in render.check(without, Path(str(CHART)), "x")] == ["two renders differ"]


if CHART and Path(CHART, "values.schema.yaml").exists():

    def test_our_list_of_keys_is_the_charts() -> None:
        schema = YAML(typ="safe").load(Path(str(CHART), "values.schema.yaml"))

        def compare(ours: object, theirs: dict[str, object], key: str) -> None:
            if isinstance(ours, dict) and "*" not in ours and isinstance(theirs.get("properties"), dict):
                properties = theirs["properties"]
                assert isinstance(properties, dict)
                if theirs.get("additionalProperties") is False:
                    assert set(ours) == set(properties), key
                for name in set(ours) & set(properties):
                    compare(ours[name], properties[name], f"{key}.{name}")

        compare(chart_keys(), schema, "")


def test_what_goes_beside_the_chart_names_what_the_values_have() -> None:
    folder = ROOT / "config" / "kubernetes"
    claim = YAML(typ="safe").load(folder / "cvmfs.yaml")
    paris = Tree(HELM_VALUES).combinations(["paris-saclay"])[0][0].values
    spawner = ("hub", "extraFiles", "jupytercloud", "data", "spawner", "kubernetes")
    assert paris.get(*spawner, "cvmfs_claim") == claim["metadata"]["name"]
    monitor = YAML(typ="safe").load(folder / "service-monitor.yaml")
    ports = {port["name"] for port in paris.get("hub", "service", "extraPorts")}
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} == {"hub", *ports}
    kept, problems = argocd.secrets_made(HELM_VALUES)
    assert problems == []
    for endpoint in monitor["spec"]["endpoints"]:
        token = endpoint["authorization"]["credentials"]
        assert token["key"] in kept[token["name"]]
    route = YAML(typ="safe").load(folder / "route.yaml")
    assert route["spec"]["host"] in Tree(HELM_VALUES).combinations(["reims"])[0][0].values.get(
        "hub", "extraFiles", "jupytercloud", "data", "site", "url"
    )
