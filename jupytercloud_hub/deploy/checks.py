"""Rules that tie the parts of a hub's values together: what the chart's schema can't say."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ..contracts.text import Text
from ..settings.checks import near
from ..settings.configure.names import page_services
from ..settings.model import Settings
from ..settings.problems import Key, Problem
from .embedded import DATA, secrets_of
from .places import Values

FIXED: tuple[Key, ...] = (
    ("hub", "config", "ConfigurableHTTPProxy", "auth_token"),
    ("hub", "config", "JupyterHub", "cookie_secret"),
    ("hub", "config", "CryptKeeper", "keys"),
)
"""What the chart makes anew at each render where it is not given (zero-to-jupyterhub #2887)."""

_RANDOM = re.compile(r"\b(secrets\.token|os\.urandom|uuid\.uuid[14]|random\.|time\.time\(|datetime\.now\()")
_FLOATING = {"latest", "main", "master", "dev", "stable", "edge", "nightly"}


def fixed_tokens(values: Values) -> Iterator[Problem]:
    """Yield what would differ between two renders, so that Argo CD would restart the hub at each sync."""
    rule = Text("needed: without it the chart makes a new one at each render, and Argo CD syncs for ever")
    for key in FIXED:
        if not values.get(*key):
            yield values.problem(key, rule)
    for name, service in (values.get("hub", "services") or {}).items():
        if isinstance(service, dict) and not service.get("apiToken"):
            yield values.problem(("hub", "services", name, "apiToken"), rule)


def python(values: Values) -> Iterator[Problem]:
    """Yield what is wrong with the Python in ``hub.extraConfig``: syntax, randomness, a missing ``configure``."""
    blocks = values.get("hub", "extraConfig")
    blocks = {name: text for name, text in blocks.items() if isinstance(text, str)} if isinstance(blocks, dict) else {}
    for name, text in blocks.items():
        key = ("hub", "extraConfig", name)
        try:
            ast.parse(text)
        except SyntaxError as error:
            rule = Text("this is not Python: {problem}", problem=error.msg)
            yield values.problem(key, rule, line_in_text=error.lineno or 1)
        for number, line in enumerate(text.splitlines(), 1):
            if _RANDOM.search(line.partition("#")[0]):
                rule = Text("a random value: the hub and its services would not agree on it after a restart")
                yield values.problem(key, rule, value=line.strip(), line_in_text=number)
    if not any("configure(c" in text for text in blocks.values()):
        rule = Text("nothing calls configure(c, …): jupytercloud.yaml would not be read")
        yield values.problem(("hub", "extraConfig"), rule)


def images(values: Values, settings: Settings | None) -> Iterator[Problem]:
    """Yield images without a fixed version, and images of profiles that are not fetched beforehand."""
    for key, value in values.walk():
        if isinstance(value, dict) and {"name", "tag"} <= set(value) and isinstance(value["tag"], str):
            if value["tag"] in _FLOATING or not value["tag"]:
                yield _floating(values, (*key, "tag"), value["tag"])
        elif key[-1] == "image" and isinstance(value, str) and not _pinned(value):
            yield _floating(values, key, value)
    if settings is None:
        return
    fetched = _fetched(values)
    for index, profile in enumerate(settings.profiles):
        written = [((*DATA, "profiles", index, "image"), profile.image)]
        for place, option in enumerate(profile.options):
            for number, choice in enumerate(option.choices):
                if option.image:
                    written.append(((*DATA, "profiles", index, "options", place, "choices", number), str(choice.value)))
        for key, image in written:
            if profile.abstract or not image or image in fetched:
                continue
            rule = Text("no image of this name is fetched beforehand (prePuller.extraImages)")
            yield values.problem(key, rule, near(image, sorted(fetched)), value=image)
    if settings.profiles and not values.get("imagePullSecrets"):
        rule = Text("images of an internal registry need its pull secret here")
        yield values.problem(("imagePullSecrets",), rule)


def _fetched(values: Values) -> set[str]:
    entries = [values.get("singleuser", "image"), *(values.get("prePuller", "extraImages") or {}).values()]
    return {f"{one.get('name')}:{one.get('tag')}" for one in entries if isinstance(one, dict)}


def _pinned(image: str) -> bool:
    if "@sha256:" in image:
        return True
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and tag not in _FLOATING


def _floating(values: Values, key: Key, value: str) -> Problem:
    rule = Text("a version that stays is expected: what was tested is what runs")
    return values.problem(key, rule, value=value)


def scopes(values: Values) -> Iterator[Problem]:
    """Yield scopes that JupyterHub does not have, and services that hold everything."""
    from jupyterhub.scopes import scope_definitions  # here: other commands do without the hub

    for name, service in (values.get("hub", "services") or {}).items():
        if isinstance(service, dict) and service.get("admin"):
            rule = Text("a service with admin: true may do everything: name its scopes in hub.loadRoles")
            yield values.problem(("hub", "services", name, "admin"), rule)
    for name, role in (values.get("hub", "loadRoles") or {}).items():
        for index, scope in enumerate(role.get("scopes") or () if isinstance(role, dict) else ()):
            bare = str(scope).partition("!")[0]
            if bare not in scope_definitions and not bare.startswith("custom:"):
                close = difflib.get_close_matches(bare, scope_definitions, n=1)
                hint = Text("Did you mean {key}?", key=close[0]) if close else None
                key = ("hub", "loadRoles", name, "scopes", index)
                yield values.problem(key, Text("JupyterHub has no such scope"), hint, value=scope)


def one_way(values: Values, settings: Settings | None) -> Iterator[Problem]:
    """Yield where the chart and jupytercloud.yaml both want to decide the same thing."""
    if values.get("cull", "enabled") is not False and settings and settings.culling:
        rule = Text("false is needed: the chart's culler stops servers without a warning, beside ours")
        yield values.problem(("cull", "enabled"), rule)
    if values.get("singleuser", "profileList"):
        yield values.problem(("singleuser", "profileList"), Text("profiles belong in jupytercloud.yaml (profiles:)"))
    config = values.get("hub", "config", "JupyterHub") or {}
    for name in ("authenticator_class", "spawner_class"):
        if name in config:
            rule = Text("jupytercloud.yaml decides this (auth:, spawner:)")
            yield values.problem(("hub", "config", "JupyterHub", name), rule, value=config[name])
    if values.get("hub", "db", "type") == "sqlite-memory":
        rule = Text("everything would be forgotten when the hub restarts")
        yield values.problem(("hub", "db", "type"), rule, value="sqlite-memory")


def addresses(values: Values, settings: Settings | None, name: str) -> Iterator[Problem]:
    """Yield names and addresses that don't fit each other."""
    if settings is None:
        return
    site = settings.site
    if site.name != name:
        rule = Text("site.yaml says {name}: heartbeats and bills name the site", name=name)
        yield values.problem((*DATA, "site", "name"), rule, value=site.name)
    base = values.get("hub", "baseUrl") or "/"
    if site.base_path != base:
        rule = Text("hub.baseUrl is {base}, and the path of this address is another", base=base)
        yield values.problem((*DATA, "site", "url"), rule, value=site.url)
    if values.get("ingress", "enabled"):
        host = urlsplit(site.url).hostname
        hosts = values.get("ingress", "hosts") or []
        if host not in hosts:
            rule = Text("the host of site.url is expected here: {host}", host=host)
            yield values.problem(("ingress", "hosts"), rule, value=", ".join(map(str, hosts)))


def services(values: Values, settings: Settings | None) -> Iterator[Problem]:
    """Yield services of jupytercloud.yaml that nothing runs, or that the hub's proxy could not reach."""
    if settings is None:
        return
    if settings.site.services != "external":
        rule = Text("external is expected: the proxy is in another pod and reaches no service inside the hub's process")
        yield values.problem((*DATA, "site", "services"), rule, value=settings.site.services)
        return
    running = {_serves(one): index for index, one in enumerate(values.get("hub", "extraContainers") or [])}
    ports = {one.get("port") for one in values.get("hub", "service", "extraPorts") or [] if isinstance(one, dict)}
    for name in page_services(settings):
        url = settings.site.service_urls.get(name)
        beside = url is None or urlsplit(url).hostname == "hub"  # else in a pod of its own: config/kubernetes/
        if beside and not {name, "all"} & running.keys():
            rule = Text("no container runs the service {name} (jupytercloud serve {name})", name=name)
            yield values.problem(("hub", "extraContainers"), rule)
        if url is None:
            rule = Text("the address of the service {name} is needed, such as http://hub:8101", name=name)
            yield values.problem((*DATA, "site", "service_urls"), rule)
        elif beside and urlsplit(url).port not in ports:
            rule = Text("hub.service.extraPorts does not open this port")
            yield values.problem((*DATA, "site", "service_urls", name), rule, value=url)
        token = f"JUPYTERCLOUD_{name.upper()}_API_TOKEN"
        if token not in _environment(values):
            rule = Text("{name} is needed here: the hub and its service must know the same token", name=token)
            yield values.problem(("hub", "extraEnv"), rule)


def _serves(container: Any) -> str:
    command = [*(container.get("command") or []), *(container.get("args") or [])] if isinstance(container, dict) else []
    return str(command[command.index("serve") + 1]) if "serve" in command[:-1] else ""


def _environment(values: Values) -> set[str]:
    env = values.get("hub", "extraEnv")
    if isinstance(env, dict):
        return set(env)
    return {str(one.get("name")) for one in env or [] if isinstance(one, dict)}


def variables(values: Values) -> Iterator[Problem]:
    """Yield variables that are null: Helm 4 leaves a null where the chart's own values have no such key."""
    env = values.get("hub", "extraEnv")
    for name, value in env.items() if isinstance(env, dict) else ():
        if value is None:
            rule = Text("the chart refuses null here; a secretKeyRef that is optional takes a common variable away")
            yield values.problem(("hub", "extraEnv", name), rule)


def secrets_there(values: Values, kept: dict[str, set[str]]) -> Iterator[Problem]:
    """Yield secrets that are named and kept nowhere. ``kept``: keys of each Secret that the manifests make."""
    for key, value in values.walk():
        if key[-1] == "secretKeyRef" and isinstance(value, dict) and value.get("optional") is not True:
            yield from _kept(values, (*key, "key"), str(value.get("name")), str(value.get("key")), kept)
        elif key[-1] == "imagePullSecrets" and isinstance(value, list):
            for index, name in enumerate(value):
                if name not in kept:
                    yield values.problem((*key, index), _NO_SECRET, near(str(name), sorted(kept)), value=name)
    mounts = _mounts(values)
    for key, kind, name in secrets_of(values):
        if kind == "env":
            if name not in _environment(values):
                rule = Text("hub.extraEnv sets no variable of this name")
                yield values.problem(key, rule, near(name, sorted(_environment(values))), value=name)
            continue
        path = PurePosixPath(name)
        secret = mounts.get(str(path.parent))
        if secret is None:
            rule = Text("no Secret is mounted at this folder (hub.extraVolumeMounts)")
            yield values.problem(key, rule, near(str(path.parent), sorted(mounts)), value=name)
        else:
            yield from _kept(values, key, secret, path.name, kept)


_NO_SECRET = Text("no manifest makes a Secret of this name")


def _kept(values: Values, key: Key, secret: str, name: str, kept: dict[str, set[str]]) -> Iterator[Problem]:
    if secret not in kept:
        yield values.problem(key, _NO_SECRET, near(secret, sorted(kept)), value=secret)
    elif name not in kept[secret]:
        rule = Text("the Secret {secret} has no such key", secret=secret)
        yield values.problem(key, rule, near(name, sorted(kept[secret])), value=name)


def _mounts(values: Values) -> dict[str, str]:
    """Return folder → Secret mounted there."""
    volumes = {
        one.get("name"): one["secret"].get("secretName")
        for one in values.get("hub", "extraVolumes") or []
        if isinstance(one, dict) and isinstance(one.get("secret"), dict)
    }
    return {
        str(PurePosixPath(str(one.get("mountPath")))): str(volumes[one.get("name")])
        for one in values.get("hub", "extraVolumeMounts") or []
        if isinstance(one, dict) and one.get("name") in volumes
    }
