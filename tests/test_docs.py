"""What the docs and the help tell people to type is what the program takes: commands, options, settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.settings import Settings, SettingsError, load
from tests.support import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if not {"_build", "reference"} & set(page.parts)]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(jupytercloud [^`]+)`")
PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]+\b|…")
BASE = {"site": {"name": "labo", "url": "https://labo.example/"}}
NEEDED = {
    **BASE,
    "auth": {"issuer": "https://login.example/", "client_id": "labo", "client_secret": {"env": "SECRET"}},
    "event": {
        "opens": "2027-03-06T10:00+01:00",
        "closes": "2027-03-07T19:00+01:00",
        "seats": 30,
        "profile": "pycoa",
        "code_key": {"env": "SECRET"},
    },
}
"""What a section can't do without, where a page shows another part of it."""


def commands_of(text: str) -> Iterator[str]:
    """Every call of our command in a page: in its blocks, and within its sentences."""
    for match in BLOCK.finditer(text):
        if match[2] in ("sh", "console", "bash", "text", "yaml", "ini", ""):
            yield from _lines(match[3])
    for match in INLINE.finditer(BLOCK.sub("", text)):
        yield " ".join(match[1].split())


def _lines(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        found = re.match(r"^\s*(?:\$ |[A-Z_]+=(?:\$\([^)]*\)|\S+) |\S*bin/)*(jupytercloud .*)$", line)
        if found:
            yield re.sub(r"\s{2,}.*$| \|.*$| > .*$| #.*$|;.*$| && .*$", "", found[1])


def examples(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Every call that a command's help shows."""
    for line in _lines(command.help or ""):
        yield path, line
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from examples(below, f"{path} {name}")


def parse(line: str) -> None:
    """Follow a call through groups to its command, and let click read its options; nothing is run.

    Raises AssertionError for a command or an option that does not exist.
    """
    words = shlex.split(line)[1:]
    command: click.Command = main
    context = click.Context(main, info_name="jupytercloud", resilient_parsing=True)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if re.fullmatch(r"[\w-]+(\|[\w-]+)+", name):  # `servers list|sweep`
            assert all(command.get_command(context, each) for each in name.split("|")), line
            return
        found = command.get_command(context, name)
        assert found is not None, f"{line}: there is no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context, resilient_parsing=True)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known | {"--help", "--version"}, f"{line}: there is no option {word}"


CALLS = [(page.relative_to(ROOT), line) for page in PAGES for line in commands_of(page.read_text())]
HELP = list(examples(main, "jupytercloud"))


@pytest.mark.parametrize(("page", "line"), CALLS, ids=[f"{page}: {line}"[:90] for page, line in CALLS])
def test_a_command_in_the_docs_exists_with_its_options(page: Path, line: str) -> None:
    parse(line)


def test_every_command_has_an_example_in_its_help_and_it_exists_with_its_options() -> None:
    for _, line in HELP:
        parse(line)
    shown = {path for path, _ in HELP}
    missing = [path for path in leaves(main, "jupytercloud") if path not in shown]
    assert not missing, f"without an example: {missing}"


def leaves(command: click.Command, path: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, f"{path} {name}")


def settings_of(page: Path) -> Iterator[str]:
    """Every piece of ``jupytercloud.yaml`` in a page: what has only keys of ours at its top."""
    for match in BLOCK.finditer(page.read_text()):
        if match[2] != "yaml":
            continue
        words = "\n".join(line.removeprefix(match[1]) for line in match[3].splitlines())
        value = yaml.safe_load(words)
        if isinstance(value, dict) and set(value) <= set(Settings.model_fields):
            yield words


SETTINGS = [(page.relative_to(ROOT), words) for page in PAGES for words in settings_of(page)]


@pytest.mark.parametrize(("page", "words"), SETTINGS, ids=[f"{page} {words[:40]}" for page, words in SETTINGS])
def test_a_piece_of_settings_in_the_docs_has_keys_and_values_that_are_taken(
    page: Path, words: str, tmp_path: Path
) -> None:
    value = yaml.safe_load(words)
    for name in set(NEEDED) & set(value):
        value[name] = {**NEEDED[name], **value[name]}
    file = tmp_path / "jupytercloud.yaml"
    file.write_text(yaml.safe_dump({**BASE, **value}, allow_unicode=True))
    try:
        load(file)
    except SettingsError as error:
        found = [f"{problem.key}: {problem.rule} ({problem.value})" for problem in error.problems]
        raise AssertionError(f"{page}:\n{words}\n" + "\n".join(found)) from None


def test_what_is_looked_at_here_is_there() -> None:
    assert len(CALLS) > 30
    assert len(HELP) > 40
    assert len(SETTINGS) > 8
