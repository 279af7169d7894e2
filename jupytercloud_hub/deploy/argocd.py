"""Argo CD's files: what an ApplicationSet makes of each site, without Argo CD."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..contracts.text import Text
from ..settings.checks import near
from ..settings.problems import Key, Problem
from .places import Place, Values, read
from .tree import Site, read_site

_HOLE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_SYNC = {
    "automated": {"prune", "selfHeal", "allowEmpty", "enabled"},
    "syncOptions": None,
    "retry": None,
    "managedNamespaceMetadata": None,
}
_HELM = {
    "valueFiles", "values", "valuesObject", "parameters", "releaseName", "fileParameters", "ignoreMissingValueFiles",
    "passCredentials", "skipCrds", "skipSchemaValidation", "skipTests", "version", "namespace", "apiVersions",
    "kubeVersion",
}  # fmt: skip
_SOURCE = {"repoURL", "path", "targetRevision", "chart", "helm", "ref", "kustomize", "directory", "plugin", "name"}
_SPEC = {
    "project", "destination", "source", "sources", "syncPolicy", "ignoreDifferences", "info", "revisionHistoryLimit",
    "sourceHydrator",
}  # fmt: skip
_SET = {
    "generators", "template", "syncPolicy", "goTemplate", "goTemplateOptions", "strategy", "templatePatch",
    "preservedFields", "ignoreApplicationDifferences", "applyNestedSelectors",
}  # fmt: skip
_SET_SYNC = {"preserveResourcesOnDeletion", "applicationsSync"}


def check(root: Path) -> Iterator[Problem]:
    """Yield what is wrong with ``argocd/*.yaml``, what they expand to for the sites included.

    ``root``: the folder ``helm-values``; paths in the files begin at its parent.
    """
    seen: dict[str, str] = {}
    for path in sorted((root / "argocd").glob("*.yaml")):
        documents, problems = read(path)
        yield from problems
        for document in documents:
            kind = document.get("kind")
            if kind == "ApplicationSet":
                yield from _application_set(document, root, seen)
            elif kind == "Application":
                yield from _application(document, (), document.data, root, seen)
            elif kind != "AppProject":
                rule = Text("one of {expected} is expected", expected="Application, ApplicationSet, AppProject")
                yield document.problem(("kind",), rule, value=kind)


def expand(document: Values, folder: Path) -> list[tuple[str, dict[str, Any] | Text, Key]]:
    """Return what the set makes of each site: (site, application or what is missing, key of the template)."""
    made: list[tuple[str, dict[str, Any] | Text, Key]] = []
    for index, generator in enumerate(document.get("spec", "generators") or []):
        selected = _selected(generator).items()
        for place, one in enumerate((generator.get("git") or {}).get("files") or []):
            key: Key = ("spec", "generators", index, "git", "files", place, "path")
            found = sorted(folder.glob(str(one.get("path"))))
            if not found:
                made.append(("", Text("no file fits this path"), key))
            for path in found:
                site, _ = read_site(path.parent)
                if site is not None and selected <= site.model_dump().items():
                    made.append((site.name, _filled(document.get("spec", "template"), site), ("spec", "template")))
    return made


def _selected(generator: dict[str, Any]) -> dict[str, str]:
    """Return what ``site.yaml`` must say for this generator to take it."""
    return dict((generator.get("selector") or {}).get("matchLabels") or {})


def _stages(document: Values, root: Path, taken: set[str]) -> Iterator[Problem]:
    """Yield sites that no generator takes, and generators that read another branch than their sites follow."""
    for index, generator in enumerate(document.get("spec", "generators") or []):
        stage, key = _selected(generator).get("stage"), ("spec", "generators", index, "git", "revision")
        if stage != document.get(*key):
            rule = Text("the branch that the sites follow is expected, and a selector that takes those alone")
            yield document.problem(key, rule, value=document.get(*key))
    for path in sorted(root.glob("sites/*/site.yaml")):
        if path.parent.name not in taken:
            rule = Text("no generator takes this site: {name}", name=path.parent.name)
            yield document.problem(("spec", "generators"), rule)


def _application_set(document: Values, root: Path, seen: dict[str, str]) -> Iterator[Problem]:
    yield from _known(document, ("spec",), _SET)
    yield from _known(document, ("spec", "syncPolicy"), _SET_SYNC)
    if document.get("spec", "goTemplate") is not True:
        rule = Text("true is needed: the template is written in Go's way")
        yield document.problem(("spec", "goTemplate"), rule)
    if "missingkey=error" not in (document.get("spec", "goTemplateOptions") or []):
        rule = Text("missingkey=error is needed: a key that site.yaml lacks would become <no value>")
        yield document.problem(("spec", "goTemplateOptions"), rule)
    if document.get("spec", "syncPolicy", "preserveResourcesOnDeletion") is not True:
        rule = Text("true is needed: people's homes would go with a deleted file")
        yield document.problem(("spec", "syncPolicy", "preserveResourcesOnDeletion"), rule)
    holes = list(_holes(document))
    yield from holes
    if holes:
        return
    expanded = expand(document, root.parent)
    yield from _stages(document, root, {name for name, _, _ in expanded})
    for name, made, key in expanded:
        if isinstance(made, Text):
            yield document.problem(key, made, value=document.get(*key))
        else:
            yield from _application(document, ("spec", "template"), made, root, seen, site=name)


def _holes(document: Values) -> Iterator[Problem]:
    known = sorted(Site.model_fields)
    template = ("spec", "template")
    for key, value in document.walk():
        if key[:2] != template or not isinstance(value, str):
            continue
        for inside in _HOLE.findall(value):
            if not re.fullmatch(r"\.\w+", inside):
                rule = Text("only a key of site.yaml can be looked at here, such as {example}", example="{{ .name }}")
                yield document.problem(key, rule, value=value)
            elif inside[1:] not in known:
                yield document.problem(key, Text("site.yaml has no such key"), near(inside[1:], known), value=value)


def _filled(template: Any, site: Site) -> Any:
    data = site.model_dump()
    if isinstance(template, str):
        return _HOLE.sub(lambda hole: str(data[hole[1][1:]]), template)
    if isinstance(template, dict):
        return {name: _filled(value, site) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, site) for value in template]
    return template


def _application(
    document: Values, at: Key, made: dict[str, Any], root: Path, seen: dict[str, str], site: str = ""
) -> Iterator[Problem]:
    """Check one application; ``at`` is where its template stands in the document."""
    name = str((made.get("metadata") or {}).get("name"))
    if name in seen:
        rule = Text("two applications have this name: {name}", name=name)
        yield document.problem((*at, "metadata", "name"), rule)
    seen[name] = site
    yield from _known(document, (*at, "spec"), _SPEC)
    yield from _known(document, (*at, "spec", "syncPolicy"), set(_SYNC))
    spec = made.get("spec") or {}
    sources = spec.get("sources") or []
    references = {source.get("ref") for source in sources} - {None}
    for index, source in enumerate(sources):
        key = (*at, "spec", "sources", index)
        yield from _known(document, key, _SOURCE)
        yield from _known(document, (*key, "helm"), _HELM)
        for place, path in enumerate((source.get("helm") or {}).get("valueFiles") or []):
            yield from _value_file(document, (*key, "helm", "valueFiles", place), path, references, root)
        folder = source.get("path")
        if folder and not (root.parent / folder).is_dir() and "helm-values" in folder:
            yield document.problem((*key, "path"), Text("there is no such folder"), value=folder)


def _value_file(document: Values, key: Key, path: str, references: set[str], root: Path) -> Iterator[Problem]:
    reference, _, inside = path.partition("/")
    if not reference.startswith("$") or "$" in inside:
        rule = Text("a path that begins with the name of a source is expected, such as $values/…")
        yield document.problem(key, rule, value=path)
    elif reference[1:] not in references:
        rule = Text("no source has this name (ref:)")
        yield document.problem(key, rule, near(reference[1:], sorted(references)), value=path)
    elif not (root.parent / inside).exists():
        yield document.problem(key, Text("there is no such file"), value=path)


def _known(document: Values, key: Key, known: set[str]) -> Iterator[Problem]:
    here = document.get(*key)
    for name in here if isinstance(here, dict) else ():
        if name not in known:
            yield document.problem((*key, name), Text("there is no such key"), near(name, sorted(known)))


def secrets_made(root: Path) -> tuple[dict[str, set[str]], list[Problem]]:
    """Return the Secrets that ``manifests/`` make, each with its keys, and what is wrong with those files."""
    return secrets_in(sorted((root / "manifests").glob("*.yaml")))


def secrets_in(paths: Iterable[Path]) -> tuple[dict[str, set[str]], list[Problem]]:
    """Return the Secrets that these files make, each with its keys, and what is wrong with the files."""
    made: dict[str, set[str]] = {}
    wrong: list[Problem] = []
    for path in paths:
        documents, problems = read(path)
        wrong += problems
        for document in documents:
            name = document.get("metadata", "name")
            if document.get("kind") == "ExternalSecret":
                target = document.get("spec", "target", "name") or name
                made[str(target)] = {str(one.get("secretKey")) for one in document.get("spec", "data") or []}
            elif document.get("kind") == "Secret":
                wrong += _secret(document)
                made[str(name)] = {*(document.get("data") or {}), *(document.get("stringData") or {})}
    return made, wrong


def _secret(document: Values) -> list[Problem]:
    if document.get("sops"):
        return []
    place: Place = document.place(("kind",))
    rule = Text("a Secret stands here in clear: make it with External Secrets, or encrypt the file with SOPS")
    return [Problem(place.file, place.line, place.column, ("kind",), "Secret", rule)]
