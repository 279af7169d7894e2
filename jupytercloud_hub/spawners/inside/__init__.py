"""Runs inside a person's Jupyter server: makes her remote storage known to rclone, to the AWS tools and to boto3.

An image may install jupytercloud-hub without its dependencies. It does nothing where the profile names no remote
storage. Whatever it sets up asks the hub for credentials when it needs them (`credentials`); it writes none.

It also lets the server ask the system, at each new connection, where the hub's proxy is (`hubapi.resolver`).
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger("jupytercloud.remotes")

VARIABLE = "JUPYTERCLOUD_REMOTES"


def remotes(environ: Mapping[str, str] = os.environ) -> list[dict[str, str]]:
    """Return what the hub told of this server's remote storage."""
    try:
        told = json.loads(environ.get(VARIABLE) or "[]")
    except ValueError:
        return []
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def command(name: str) -> str:
    """Return the command line that prints the credentials of a remote."""
    return shlex.join([sys.executable, "-m", "jupytercloud_hub.spawners.inside.credentials", name])


def rclone_environment(told: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the variables by which rclone knows the remotes, under their names."""
    found: dict[str, str] = {}
    for remote in told:
        begin = f"RCLONE_CONFIG_{remote['name'].upper()}_"
        if remote["kind"] == "webdav":
            found |= {f"{begin}TYPE": "webdav", f"{begin}URL": remote["url"], f"{begin}VENDOR": remote["vendor"]}
            found[f"{begin}BEARER_TOKEN_COMMAND"] = command(remote["name"])
        else:
            found |= {f"{begin}TYPE": "s3", f"{begin}PROVIDER": "Other", f"{begin}ENDPOINT": remote["url"]}
            found |= {f"{begin}ENV_AUTH": "true", f"{begin}PROFILE": remote["name"], f"{begin}REGION": remote["region"]}
    return found


def aws_config(told: Sequence[Mapping[str, str]]) -> str:
    """Return a configuration file of the AWS tools: a profile for each S3 remote, the first one also by default."""
    lines: list[str] = []
    for number, remote in enumerate(each for each in told if each["kind"] == "s3"):
        for section in (["default"] if number == 0 else []) + [f"profile {remote['name']}"]:
            lines += [
                f"[{section}]",
                f"endpoint_url = {remote['url']}",
                f"region = {remote['region']}",
                f"credential_process = {command(remote['name'])}",
                "",
            ]
    return "\n".join(lines)


def set_up(environ: dict[str, str] | os._Environ[str], folder: Path | None = None) -> list[str]:
    """Make the remotes known to what this server starts; return their names.

    What the person set up herself stays: a variable that is there is never replaced, and with her own
    ``~/.aws/config`` the file is only named by ``JUPYTERCLOUD_AWS_CONFIG_FILE``.
    """
    told = remotes(environ)
    for variable, value in rclone_environment(told).items():
        environ.setdefault(variable, value)
    config = aws_config(told)
    if config:
        place = (folder or Path(tempfile.mkdtemp(prefix="jupytercloud-"))) / "aws-config"
        place.write_text(config, encoding="utf-8")
        environ["JUPYTERCLOUD_AWS_CONFIG_FILE"] = str(place)
        if not (Path(environ.get("HOME") or "~").expanduser() / ".aws/config").exists():
            environ.setdefault("AWS_CONFIG_FILE", str(place))
    return [each["name"] for each in told]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupytercloud_hub.spawners.inside"}]


def _link_jupyter_server_extension(server: Any) -> None:
    """Comes before JupyterHub's own extension loads, whose first request keeps the resolver for good."""
    if "JUPYTERHUB_API_URL" not in os.environ:
        return
    try:
        from jupytercloud_hub.hubapi.resolver import ask_the_system
    except ImportError:  # JupyterHub 5 asks the system anyway
        return

    async def ask() -> None:  # the client is of the loop in which it is made
        ask_the_system()

    server.io_loop.run_sync(ask)


def _load_jupyter_server_extension(server: Any) -> None:
    try:
        names = set_up(os.environ)
    except (OSError, KeyError) as error:
        log.warning("remote storage is not set up: %s", type(error).__name__)
        return
    if names:
        log.info("remote storage: %s", ", ".join(names))
