"""The folder ``helm-values``: its sites, and which files are laid over each other for each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..contracts.model import Model
from ..contracts.text import Text
from ..settings.problems import Problem, nearest_key, rule_of
from ..settings.site import Name
from .places import Values, layered, read_one, whole

COMMON = "common.yaml"
Platform = Literal["kubernetes", "openshift"]


class Site(Model):
    """``site.yaml``: what Argo CD's ApplicationSet reads of a site."""

    name: Name
    """The site's name, that of its folder and of its hub."""
    platform: Platform
    """Which values go between the common ones and the site's."""
    cluster: Annotated[str, Field(pattern=r"^https://\S+$")]
    """Address of the cluster's API, as Argo CD knows it."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    """Namespace of the hub."""
    stage: Literal["test", "pre-production", "production"]
    """The branch that it follows."""
    chartVersion: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]  # noqa: N815 - Argo CD's template reads it
    """Version of the chart, whole: a range would change a hub by itself."""


@dataclass
class Combination:
    """Value files laid over each other: what one hub gets."""

    name: str
    site: Site | None
    platform: Platform
    files: tuple[Path, ...]
    values: Values
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with the files themselves."""


@dataclass(frozen=True)
class Tree:
    """The folder with all value files."""

    root: Path

    def sites(self) -> list[Path]:
        """Return the folders of the sites, and the portal's."""
        found = sorted(path.parent for path in self.root.glob("sites/*/") for path in [path / "site.yaml"])
        portal = self.root / "portal"
        return [*found, portal] if portal.is_dir() else found

    def combinations(self, names: Iterable[str] = ()) -> tuple[list[Combination], list[Problem]]:
        """Return what each site and each event gets, and the common event's values over one site of each platform.

        ``names``: only these sites and events.
        """
        wanted = list(names)
        folders = {folder.name: folder for folder in self.sites()}
        events = {folder.name: folder for folder in self.events()}
        problems = []
        for name in wanted:
            if name not in folders and name not in events:
                near = difflib.get_close_matches(name, [*folders, *events], n=1)
                hint = Text("Did you mean {key}?", key=near[0]) if near else None
                problems.append(Problem(str(self.root / "sites"), 0, 0, (), name, Text("no site has this name"), hint))
        combinations = [self._combination(folder) for name, folder in folders.items() if not wanted or name in wanted]
        combinations += [self._event(folder) for name, folder in events.items() if not wanted or name in wanted]
        event = self.root / "event.yaml"
        if event.exists() and not wanted:
            first: dict[str, Combination] = {}
            for one in combinations:
                if one.site and one.name != "portal":
                    first.setdefault(one.platform, one)
            combinations += [
                self._laid(f"event/{key}", one.site, key, (*one.files, event)) for key, one in first.items()
            ]
        return combinations, problems

    def events(self) -> list[Path]:
        """Return the folders of events, which stand beside: ``events/NAME/``, as their application.yaml names them."""
        return sorted(path.parent for path in (self.root.resolve().parent / "events").glob("*/application.yaml"))

    def _event(self, folder: Path) -> Combination:
        files = (self.root / COMMON, self.root / "kubernetes.yaml", folder / "values.yaml", folder / "secrets.yaml")
        return self._laid(f"events/{folder.name}", None, "kubernetes", files)

    def _combination(self, folder: Path) -> Combination:
        site, problems = read_site(folder)
        platform: Platform = site.platform if site else "kubernetes"
        files = (
            self.root / COMMON,
            self.root / f"{platform}.yaml",
            folder / "values.yaml",
            folder / "secrets.yaml",
        )
        combination = self._laid(folder.name, site, platform, files)
        combination.problems[:0] = problems
        return combination

    def _laid(self, name: str, site: Site | None, platform: Any, files: tuple[Path, ...]) -> Combination:
        layers, problems = [], []
        for path in files:
            values, wrong = _layer(path, path.stat().st_mtime_ns if path.exists() else 0)
            layers.append(values)
            problems += wrong
        return Combination(name, site, platform, files, layered(layers), problems)


@lru_cache(maxsize=64)
def _layer(path: Path, changed: int) -> tuple[Values, list[Problem]]:
    values, problems = read_one(path)  # the common files, once for all sites
    return without_sops(values), problems


def without_sops(values: Values) -> Values:
    """Return the values without the block that SOPS adds to what it encrypted."""
    values.data.pop("sops", None)
    values.places = {key: place for key, place in values.places.items() if key[:1] != ("sops",)}
    return values


def read_site(folder: Path) -> tuple[Site | None, list[Problem]]:
    """Return what ``site.yaml`` says, and what is wrong with it."""
    path = folder / "site.yaml"
    values, problems = read_one(path)
    if problems:
        return None, problems
    try:
        site = Site.model_validate(values.data)
    except ValidationError as error:
        told = []
        for detail in error.errors(include_url=False):
            key = tuple(detail["loc"])
            hint = nearest_key(Site, key) if detail["type"] == "extra_forbidden" else None
            value = None if detail["type"] in {"missing", "extra_forbidden"} else detail.get("input")
            told.append(values.problem(key, rule_of(dict(detail)), hint, value=value))
        return None, told
    if site.name != folder.name:
        rule = Text("the folder has another name: {name}", name=folder.name)
        return site, [values.problem(("name",), rule, value=site.name)]
    return site, []


def missing(path: Path) -> list[Problem]:
    """Return the finding that a file is not there."""
    return [] if path.exists() else [whole(path, Text("there is no such file"))]
