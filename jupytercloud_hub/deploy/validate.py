"""Everything that can be known of ``helm-values`` before a cluster sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..contracts.text import Text
from ..settings.problems import Key, Problem
from . import argocd, checks, openshift, render, secret_words
from .chart import CHART_VERSION, check_keys
from .embedded import DATA, settings_of
from .tree import COMMON, Combination, Tree, missing


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is to be mended: each finding once, however many sites it comes from."""

    looked_at: tuple[str, ...]
    problems: tuple[Problem, ...]
    chart: Path | None
    """The chart that was rendered."""


def validate(root: Path, sites: Iterable[str] = (), chart: Path | None = None) -> Report:
    """Look at all values below ``root``, or at those of some sites; raises `render.NoHelmError`.

    ``chart``: a zero-to-jupyterhub chart, which is then rendered twice for each combination.
    """
    wanted = list(sites)
    tree = Tree(root)
    absent = missing(root / COMMON)
    if absent:
        return Report((), tuple(absent), chart)
    combinations, problems = tree.combinations(wanted)
    kept, wrong = argocd.secrets_made(root)
    problems += wrong
    for combination in combinations:
        own, wrong = _own_secrets(combination)
        problems += [*wrong, *look_at(combination, {**kept, **own})]
        if chart is not None and not combination.problems:
            namespace = combination.site.namespace if combination.site else "default"
            problems += list(render.check(combination.values, chart, namespace))
    problems += list(argocd.check(root))
    problems += _namespaces(combinations, root)
    names = tuple(combination.name for combination in combinations)
    return Report(names, _each_once(problems), chart)


def look_at(combination: Combination, kept: dict[str, set[str]]) -> list[Problem]:
    """Return what is wrong with the values of one hub."""
    if combination.problems:  # broken files: what they lack would be told again and again
        return combination.problems
    values = combination.values
    settings, problems = settings_of(values)
    problems += [
        *check_keys(values),
        *checks.fixed_tokens(values),
        *secret_words.in_clear(values),
        *secret_words.env_in_clear(values),
        *checks.variables(values),
        *checks.secrets_there(values, kept),
        *checks.python(values),
        *checks.images(values, settings),
        *checks.scopes(values),
        *checks.one_way(values, settings),
        *checks.services(values, settings),
    ]
    if combination.site is not None:
        problems += checks.addresses(values, settings, combination.site.name)
    if combination.platform == "openshift":
        cvmfs: Key | None = None
        for index, profile in enumerate(settings.profiles if settings else ()):
            for place, volume in enumerate(profile.volumes):
                if volume.kind == "cvmfs":
                    cvmfs = (*DATA, "profiles", index, "volumes", place)
        problems += openshift.check(values, settings.spawner if settings else None, cvmfs)
    return problems


def _own_secrets(combination: Combination) -> tuple[dict[str, set[str]], list[Problem]]:
    """Return what an event's own ``secret.yaml`` makes in its namespace; sites have the common manifests alone."""
    path = combination.files[-1].parent / "secret.yaml"
    return argocd.secrets_in([path] if path.exists() else [])


def _namespaces(combinations: list[Combination], root: Path) -> list[Problem]:
    taken: dict[tuple[str, str], str] = {}
    problems = []
    for one in combinations:
        if one.site is None or "/" in one.name:
            continue
        where = (one.site.cluster, one.site.namespace)
        path = one.files[-1].parent / "site.yaml"
        if where in taken:
            rule = Text("the site {name} is in this namespace of this cluster", name=taken[where])
            problems.append(_in_site(path, "namespace", one.site.namespace, rule))
        taken[where] = one.name
        if one.site.chartVersion.split(".")[0] != CHART_VERSION.split(".")[0]:
            rule = Text("these values are for version {version} of the chart", version=CHART_VERSION)
            problems.append(_in_site(path, "chartVersion", one.site.chartVersion, rule))
    return problems


def _in_site(path: Path, key: str, value: str, rule: Text) -> Problem:
    from .places import read_one

    return read_one(path)[0].problem((key,), rule, value=value)


def _each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    found: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        found.setdefault((problem.file, problem.line, problem.column, str(problem.rule)), problem)
    return tuple(sorted(found.values(), key=lambda one: (one.file, one.line, one.column)))
