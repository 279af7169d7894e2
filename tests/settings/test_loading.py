"""What an administrator is told about a file: every mistake, where it stands, and what to write instead."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from jupytercloud_hub.settings import SettingsError, load
from tests.support.settings_files import PORTAL, SINGLE, SITE


@pytest.fixture
def write(tmp_path):
    def put(text: str):
        path = tmp_path / "jupytercloud.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return put


@pytest.fixture
def problems(write):
    """Load a file that has mistakes and return them."""

    def found(text: str):
        with pytest.raises(SettingsError) as caught:
            load(write(text))
        return caught.value.problems

    return found


FIVE = """\
site:
  name: Grenoble
  url: http://grenoble.example.fr/
  timzone: Europe/Paris
profiles:
  - name: lab
    title: Lab
    resources: {memory: 16G}
culling:
  every: 30
"""


@pytest.mark.parametrize("text", [SINGLE, SITE, PORTAL], ids=["single", "site", "portal"])
def test_a_good_file_of_each_kind_of_hub_is_taken(write, text):
    assert load(write(text)).site.name in text


def test_five_mistakes_are_five_problems_each_with_its_line_and_column(problems):
    assert [(p.line, p.column, p.path) for p in problems(FIVE)] == [
        (2, 3, "site.name"),
        (3, 3, "site.url"),
        (4, 3, "site.timzone"),
        (8, 17, "profiles[0].resources.memory"),
        (10, 3, "culling.every"),
    ]


def test_each_problem_says_value_rule_and_the_nearest_known_key(problems):
    name, url, zone, memory, every = problems(FIVE)
    assert name.value == "Grenoble"
    assert "small letters" in str(name.rule)
    assert "https" in str(url.rule)
    assert str(zone.hint) == "Did you mean timezone?"
    assert str(memory.rule).endswith("write 16 GiB")
    assert (every.value, "with its unit" in str(every.rule)) == ("30", True)


def test_the_place_is_one_that_editors_and_terminals_can_open(problems):
    assert re.fullmatch(r".*/jupytercloud\.yaml:2:3", problems(FIVE)[0].place)


UNKNOWN_KEYS = [
    # where, file after `site`, the key's path, hint
    ("top", "profil: []\n", "profil", "profiles"),
    ("in a section", "culling:\n  evry: 1 min\n", "culling.evry", "every"),
    ("in a list", "profiles:\n  - name: a\n    titel: A\n", "profiles[0].titel", "title"),
    (
        "in a list in a list",
        "profiles:\n  - {name: a, title: A, options: [{name: v, title: V, choices: [{valeu: x}]}]}\n",
        "profiles[0].options[0].choices[0].valeu",
        "value",
    ),
    (
        "in one mapping that stands for a list",
        "profiles:\n  - {name: a, title: A, access: {group: [x]}}\n",
        "profiles[0].access.group",
        "groups",
    ),
    (
        "in a mapping of mappings",
        "spawner:\n  gpus: {a100: {mots: 2}}\n",
        "spawner.gpus.a100.mots",
        "most",
    ),
]


@pytest.mark.parametrize(("_where", "text", "path", "near"), UNKNOWN_KEYS)
def test_an_unknown_key_names_the_nearest_known_one(problems, _where, text, path, near):
    unknown = [problem for problem in problems(SINGLE + text) if "no such key" in str(problem.rule)]
    assert [(problem.path, str(problem.hint)) for problem in unknown] == [(path, f"Did you mean {near}?")]
    key = path.rpartition(".")[2]
    lines = (SINGLE + text).splitlines()
    assert lines[unknown[0].line - 1][unknown[0].column - 1 :].startswith(key)


def test_an_unknown_key_that_is_near_to_nothing_names_those_that_are_known(problems):
    (problem,) = problems(SINGLE + "database:\n  zzz: 1\n")
    assert str(problem.hint) == "Known here: password, url, urls."


def test_a_value_with_two_forms_is_one_problem_at_the_key_that_the_person_wrote(problems):
    text = SINGLE + "quotas:\n  budgets:\n    - {name: a, limits: [{window: fortnight, units: 1}]}\n"
    (problem,) = problems(text)
    assert problem.path == "quotas.budgets[0].limits[0].window"
    assert "month" in str(problem.rule)


def test_a_wrong_gpu_condition_is_not_told_once_for_each_form_that_it_could_have(problems):
    found = problems(SINGLE + "culling:\n  rules: [{name: a, idle: 1 h, gpu: 3.5}]\n")
    assert {problem.path for problem in found} == {"culling.rules[0].gpu"}
    assert len(found) == 1


def test_a_mistake_in_a_profile_that_another_extends_is_told_once_where_it_stands(problems):
    text = SINGLE + (
        "profiles:\n"
        "  - {name: a, title: A, resources: {memory: 4}}\n"
        "  - {name: b, title: B, extends: a}\n"
        "  - {name: c, title: C, resources: {memory: 4}}\n"
    )
    assert [problem.path for problem in problems(text)] == [
        "profiles[0].resources.memory",
        "profiles[2].resources.memory",
    ]


def test_yaml_1_2_keeps_no_and_clock_times_as_texts(write):
    text = SITE.replace("contact: support@example.fr", "contact: no").replace('"20:00"', "20:00")
    settings = load(write(text))
    assert settings.site.contact == "no"
    assert settings.culling.rules[0].when[0].from_hour.hour == 20


def test_a_key_that_stands_twice_is_told_with_its_second_place(problems):
    (problem,) = problems(SINGLE + "  name: other\n")
    assert (problem.line, problem.path) == (4, "name")
    assert "twice" in str(problem.rule)


def test_a_tab_is_told_as_a_tab(problems):
    (problem,) = problems("site:\n\tname: labo\n")
    assert problem.line == 2
    assert "tab" in str(problem.rule)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "- a\n- b\n",
        "site: [",
        "site: {name: 'a\n",
        "a: b\n---\nc: d\n",
        "site: !!python/object:os.system {}\n",
        "? [a, b]\n: c\n",
        "1: 2\n",
        "site: &s\n  name: a\n  url: *s\n",
        "null: 1\n",
        "site: *nowhere\n",
        "\x00",
    ],
)
def test_whatever_the_file_holds_it_ends_in_problems_and_not_in_a_stack_trace(problems, text):
    for problem in problems(text):
        assert str(problem.text())


def test_a_file_that_is_not_there_and_one_that_is_no_text_are_told(tmp_path):
    for path, content in ((tmp_path / "none.yaml", None), (tmp_path / "latin.yaml", "é".encode("latin-1"))):
        if content:
            path.write_bytes(content)
        with pytest.raises(SettingsError) as caught:
            load(path)
        assert caught.value.problems[0].place == str(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SINGLE.replace("\n", "\r\n").encode())
    assert load(path).site.name == "labo"


def test_a_merged_key_keeps_the_place_where_it_is_overridden(problems):
    text = SINGLE + ("profiles:\n  - &a {name: a, title: A, idle: 1 h}\n  - <<: *a\n    name: b\n    idle: soon\n")
    (problem,) = problems(text)
    assert (problem.line, problem.path) == (8, "profiles[1].idle")


def test_the_key_under_which_settings_keep_their_file_is_not_one_of_the_file(problems):
    (problem,) = problems(SINGLE + "file: elsewhere.yaml\n")
    assert problem.path == "file"
    assert "no such key" in str(problem.rule)


PLAIN_SECRETS = [
    "auth: {issuer: https://idp.example.fr, client_id: a, client_secret: hunter2-plain}\n",
    "auth: {issuer: https://idp.example.fr, client_id: a, client_secret: {value: hunter2-plain}}\n",
    "auth: {issuer: https://idp.example.fr, client_id: a, client_secret: {env: 1, file: hunter2-plain}}\n",
    "auth: {issuer: https://i.fr, client_id: a, client_secret: {env: A}, crypt_keys: hunter2-plain}\n",
    "auth: {issuer: https://i.fr, client_id: a, private_key_jwt: {key: hunter2-plain}}\n",
    "federation: {portal: {url: https://p.example.fr/, key: hunter2-plain}}\n",
    "database: postgresql://me:hunter2-plain@db/name\n",
    "database: {url: mysql://me:hunter2-plain@db/name}\n",
    "database: {urls: {quotas: mysql://me:hunter2-plain@db/name}}\n",
    "database: {urls: {elsewhere: postgresql://me:hunter2-plain@db/name}}\n",
    "site: {name: labo, url: 'https://me:hunter2-plain@hub.example.fr/?x'}\n",
]


@pytest.mark.parametrize("text", PLAIN_SECRETS)
def test_no_problem_ever_shows_a_secret(problems, text):
    found = problems(text if text.startswith("site:") else SINGLE + text)
    assert found
    for problem in found:
        assert "hunter2" not in f"{problem.value} {problem.text()} {problem!r}"


BETWEEN_SECTIONS = [
    # name, file, path of the problem
    ("a portal has sites", SINGLE + "  role: portal\n", "site.role"),
    ("a portal starts no servers", PORTAL + "profiles: [{name: a, title: A}]\n", "profiles"),
    ("names stand once", SINGLE + "profiles: [{name: a, title: A}, {name: a, title: B}]\n", "profiles[1].name"),
    (
        "a rule's profile exists",
        SINGLE + "profiles: [{name: lab, title: A}]\nculling: {rules: [{name: r, idle: 1 h, profiles: [labo]}]}\n",
        "culling.rules[0].profiles[0]",
    ),
    ("a home site exists", PORTAL.replace("home_site: reims", "home_site: reim"), "institutions[0].home_site"),
]


@pytest.mark.parametrize(("_rule", "text", "path"), BETWEEN_SECTIONS)
def test_what_two_sections_say_against_each_other_is_told_at_its_line(problems, _rule, text, path):
    (problem,) = problems(text)
    assert problem.path == path
    assert problem.line > 0


def test_one_name_where_a_list_may_stand_is_shown_whole(problems):
    (problem,) = problems(SINGLE + "culling: {rules: [{name: r, idle: 1 h, profiles: labo}]}\n")
    assert (problem.path, problem.value) == ("culling.rules[0].profiles[0]", "labo")


def test_a_list_that_misses_by_little_names_what_was_meant(problems):
    (problem,) = problems(PORTAL.replace("home_site: reims", "home_site: reim"))
    assert str(problem.hint) == "Did you mean reims?"


def test_relative_paths_begin_in_the_folder_of_the_file(write, tmp_path, monkeypatch):
    path = write(SITE)
    monkeypatch.chdir("/")
    settings = load(path)
    assert settings.state_folder == tmp_path / "state"
    assert settings.database_url("quotas") == f"sqlite:///{tmp_path}/state/jupytercloud.sqlite"


def test_a_part_may_have_a_database_of_its_own_and_its_password_comes_from_a_file(write, tmp_path):
    (tmp_path / "password").write_text("s3/cr@t\n")
    text = PORTAL + "  password: password\n  urls: {federation: postgresql://f@db/f}\n"
    settings = load(write(text))
    assert settings.database_url("federation") == "postgresql://f:s3%2Fcr%40t@db/f"
    assert settings.database_url("auth").startswith("postgresql://jupytercloud:s3%2Fcr%40t@db.example.fr/")


def test_durations_without_a_word_in_the_file_are_the_documented_ones(write):
    retention = load(write(SINGLE)).privacy.retention
    assert retention.sessions == timedelta(days=30)
    assert retention.usage == timedelta(days=730)
