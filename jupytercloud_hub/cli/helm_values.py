"""``jupytercloud helm-values``: is what Argo CD will deploy right, before it does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..contracts.text import Text
from .common import USAGE, WRONG, fail, json_option, print_json, problem_as_json, say

if TYPE_CHECKING:
    from ..deploy.validate import Report


@click.group("helm-values")
def command() -> None:
    """Validate the values of zero-to-jupyterhub and Argo CD's files."""


@command.command()
@click.argument("what", nargs=-1, metavar="[DIR] [SITE…]")
@click.option(
    "--chart",
    type=click.Path(path_type=Path, exists=True),
    envvar="Z2JH_CHART",
    help="A zero-to-jupyterhub chart (folder or archive), rendered too; needs helm-python-sdk.",
)
@json_option
def validate(what: tuple[str, ...], chart: Path | None, as_json: bool) -> None:
    """Tell every mistake with its file and line: keys, secrets, images, OpenShift, Argo CD, jupytercloud.yaml.

    DIR is a folder with common.yaml and sites/ (helm-values where none is given); SITE limits it to some sites.

    \b
    Examples:
      jupytercloud helm-values validate
      jupytercloud helm-values validate deploy/helm-values grenoble reims
      Z2JH_CHART=jupyterhub-4.4.0.tgz jupytercloud helm-values validate
    """
    from ..deploy.render import NoHelmError
    from ..deploy.validate import validate as look

    folders = [Path(name) for name in what if os.sep in name or Path(name).is_dir()]
    if len(folders) > 1:
        fail(Text("one folder at a time: {folders}", folders=", ".join(map(str, folders))), USAGE)
    root = folders[0] if folders else Path("helm-values")
    if not root.is_dir():
        fail(Text("there is no folder {folder}", folder=str(root)), USAGE)
    sites = [name for name in what if Path(name) not in folders]
    try:
        report = look(root, sites, chart)
    except NoHelmError:
        fail(Text("rendering a chart needs Helm: pip install helm-python-sdk"), USAGE)
    if as_json:
        print_json(
            {
                "valid": not report.problems,
                "looked_at": report.looked_at,
                "rendered": bool(report.chart),
                "problems": [problem_as_json(problem) for problem in report.problems],
            }
        )
    else:
        for problem in report.problems:
            click.echo(f"{problem.place}: {say(problem.text())}", err=True)
        click.echo(say(_summary(report)), err=bool(report.problems))
    if report.problems:
        raise SystemExit(WRONG)


def _summary(report: Report) -> Text:
    hubs = ", ".join(report.looked_at)
    if report.problems:
        return Text("{count} to mend in {file}", count=len(report.problems), file=hubs or "helm-values")
    if report.chart:
        return Text("no mistake found, and two renders of the chart are the same: {hubs}", hubs=hubs)
    return Text("no mistake found (the chart itself was not rendered: --chart): {hubs}", hubs=hubs)
