"""The JSON Schema that editors use: it takes what the hub takes, and underlines what the hub refuses."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from jupytercloud_hub.cli.main import main
from tests.support.settings_files import PORTAL, SINGLE, SITE


@pytest.fixture(scope="module")
def schema():
    result = CliRunner().invoke(main, ["settings", "schema"])
    assert result.exit_code == 0
    return json.loads(result.stdout)


@pytest.fixture
def errors(schema):
    def found(text: str) -> list[str]:
        data = json.loads(json.dumps(YAML(typ="safe").load(StringIO(text)), default=str))
        return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(data)]

    return found


def test_it_is_a_schema(schema):
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("text", [SINGLE, SITE, PORTAL], ids=["single", "site", "portal"])
def test_it_takes_a_good_file_of_each_kind_of_hub(errors, text):
    assert errors(text) == []


SHORT_FORMS = [
    "auth: {issuer: https://i.fr, client_id: a, client_secret: {file: s}, scopes: openid, admins: lea}\n",
    "institutions: [{name: a, home_organizations: a.fr, scopes: a.fr, groups: physique, affiliations: staff}]\n",
    "profiles: [{name: a, title: A, resources: {cpu: 0.5, memory: 500 MB}}]\n",
    "profiles: [{name: a, title: {fr: A}, access: {users: [lea]}}, {name: b, title: B, access: [{sites: [x]}]}]\n",
    "profiles: [{name: a, title: A, options: [{name: v, title: V, choices: [x, {value: y}]}]}]\n",
    "profiles: [{name: a, title: A}, {name: b, extends: a}]\n",
    "spawner: {gpus: {a100: 2, h100: {most: 4}}}\n",
    "culling: {rules: [{name: a, idle: 1 h, profiles: '*', gpu: true, when: [{to_hour: '24:00'}]}]}\n",
    "culling: {rules: [{name: a, idle: 1 h, gpu: a100}]}\n",
    "quotas: {tariff: [{gpu: 3}], budgets: [{name: a, limits: [{window: 30 d, units: 5}]}]}\n",
    "quotas: {tariff: [{gpu: {'*': 3}}], budgets: [{name: a, limits: [{window: month, units: 5}]}]}\n",
]


@pytest.mark.parametrize("text", SHORT_FORMS)
def test_it_takes_every_short_form_that_the_hub_takes(errors, text, tmp_path):
    from jupytercloud_hub.settings import load

    (tmp_path / "a.yaml").write_text(SINGLE + text)
    load(tmp_path / "a.yaml")
    assert errors(SINGLE + text) == []


REFUSED = [
    "profil: []\n",
    "culling: {evry: 1 min}\n",
    "culling: {every: 30}\n",
    "profiles: [{name: Pas Bon, title: A}]\n",
    "profiles: [{name: a, title: {de: A}}]\n",
    "profiles: [{name: a, title: A, resources: {memory: true}}]\n",
    "auth: {issuer: https://i.fr, client_id: a, client_secret: plain}\n",
    "quotas: {when_unavailable: maybe}\n",
    "file: elsewhere.yaml\n",
]


@pytest.mark.parametrize("text", REFUSED)
def test_it_refuses_what_the_hub_refuses(errors, text):
    assert errors(SINGLE + text)


def test_it_describes_each_key_in_words(schema):
    """What an editor shows beside a key."""

    def properties(model):
        yield from model.get("properties", {}).items()
        for one in model.get("anyOf", ()):
            yield from properties(one)

    models = {"Settings": schema, **schema["$defs"]}
    described = {f"{name}.{key}": value for name, model in models.items() for key, value in properties(model)}
    assert len(described) > 100
    assert [key for key, value in described.items() if not ("$ref" in value or value.get("description"))] == []
