"""``jupytercloud check``: is this hub well, and what is to be done where it is not?"""

from __future__ import annotations

import asyncio
import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

import click

from ..contracts.finding import Finding
from ..contracts.text import Text
from ..settings import SettingsError, load
from .checks.reports import as_junit, as_textfile
from .common import USAGE, WRONG, config_option, fail, json_option, print_json, say

STATUS: dict[str, tuple[Text, str]] = {
    "ok": (Text("ok"), "green"),
    "warning": (Text("warning"), "yellow"),
    "error": (Text("ERROR"), "red"),
    "skipped": (Text("not looked at"), "magenta"),
}
AREAS = {
    "settings": Text("settings"),
    "hub": Text("the hub"),
    "proxy": Text("proxy"),
    "services": Text("services"),
    "database": Text("database"),
    "disk": Text("disk"),
    "certificates": Text("certificates"),
    "provider": Text("provider"),
    "portal": Text("portal"),
    "spawner": Text("profiles"),
    "orphans": Text("left behind"),
    "spawn": Text("a start"),
}
WIDEST = 110


_WRITTEN = click.Path(path_type=Path, dir_okay=False)


@click.command()
@config_option
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with a token of the hub, for the proxy's routes and the services' scopes "
    "[default: JUPYTERHUB_API_TOKEN, else the one that configure keeps in site.state].",
)
@click.option("--junit", type=_WRITTEN, help="Also write the findings as JUnit XML, for continuous integration.")
@click.option(
    "--textfile", type=_WRITTEN, help="Also write counts for Prometheus' node exporter (its textfile collector)."
)
@click.option(
    "--spawn",
    "profile",
    is_flag=False,
    flag_value="",
    metavar="[PROFILE]",
    help="Also start a server (of that profile, or of the default one) as the person whose token --token-file holds, "
    "let a kernel compute, and stop it. Takes as long as a start takes.",
)
@json_option
def command(
    config: Path, token_file: Path | None, junit: Path | None, textfile: Path | None, profile: str | None, as_json: bool
) -> None:
    """Look at a hub that runs, from its settings and certificates to its services and its portal.

    Every finding says how to mend it. Nothing is changed, and it ends within ten seconds, so that it can run every
    five minutes. What could not be looked at is said, never counted as well. Exit code 1 when there is an error.

    \b
    Examples:
      jupytercloud check --config jupytercloud.yaml
      jupytercloud check --json | jq '.findings[] | select(.status == "error")'
      jupytercloud check --spawn pycoa --token-file test-person.token
      jupytercloud check --textfile /var/lib/prometheus/node-exporter/jupytercloud.prom
    """
    if token_file is not None and not token_file.exists():
        fail(Text("there is no file {path}", path=str(token_file)), USAGE)
    try:
        settings = load(config)
    except SettingsError as error:
        found = [
            Finding("settings", "error", Text("{place}: {rule}", place=problem.place, rule=problem.text()), MEND_FILE)
            for problem in error.problems
        ]
        found.append(Finding("hub", "skipped", Text("nothing else was looked at"), Text("Mend the file first.")))
    else:
        from .checks.run import look_at_all

        found = asyncio.run(look_at_all(settings, token_file, profile))
    for path, written in ((junit, as_junit), (textfile, as_textfile)):
        if path is not None:
            _write(path, written(found))
    _print(found, as_json)
    if any(finding.status == "error" for finding in found):
        raise SystemExit(WRONG)


MEND_FILE = Text("Change that line; jupytercloud settings validate tells when all is right.")


def _write(path: Path, content: bytes) -> None:
    """Write a report whole or not at all: whoever collects it never reads half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        fail(Text("{path} can't be written: {error}", path=str(path), error=error.strerror or ""), USAGE)


def _print(found: list[Finding], as_json: bool) -> None:
    counts = {status: sum(finding.status == status for finding in found) for status in STATUS}
    if as_json:
        print_json({"counts": counts, "findings": [_as_json(finding) for finding in found]})
        return
    for finding in found:
        _show(finding)
    click.echo()
    total = ", ".join(f"{say(STATUS[status][0])}: {count}" for status, count in counts.items())
    click.echo(total)


def _show(finding: Finding) -> None:
    word, color = STATUS[finding.status]
    status_width = max(len(say(text)) for text, _ in STATUS.values())
    area_width = max(len(say(text)) for text in AREAS.values())
    area = say(AREAS[finding.area]) if finding.area in AREAS else finding.area
    head = f"{say(word):<{status_width}}  {area:<{area_width}}  "
    lines = [say(finding.what)]
    if finding.status != "ok":
        lines += [f"{say(name)} {say(text)}" for name, text in ((WHY, finding.why), (MEND, finding.mend)) if text]
    width = max(60, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))
    indent = " " * len(head)
    body: list[str] = []
    for line in lines:
        body += textwrap.wrap(line, width - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    click.echo(click.style(head[: status_width + 2], fg=color) + head[status_width + 2 :] + body[0])
    for line in body[1:]:
        click.echo(indent + line)


WHY, MEND = Text("Why it matters:"), Text("To mend it:")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "area": finding.area,
        "status": finding.status,
        "what": say(finding.what),
        "why": say(finding.why) if finding.why else None,
        "mend": say(finding.mend) if finding.mend else None,
    }
