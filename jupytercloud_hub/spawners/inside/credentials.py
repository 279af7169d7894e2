"""``python -m jupytercloud_hub.spawners.inside.credentials NAME``: fresh credentials of a remote, from the hub.

Prints what the caller wants to read: JSON for the AWS tools' ``credential_process``, the bare token for rclone's
``bearer_token_command``. Exit codes: 0 printed, 1 the hub gave none, 2 wrong use.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

TIMEOUT_SECONDS = 20.0


def language(environ: Mapping[str, str]) -> str:
    """Return the language of the terminal: French where the locale says nothing."""
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "fr"


def fetch(name: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Ask the hub with the server's own token. Raises OSError (also HTTPError), KeyError outside of a server."""
    url = f"{environ['JUPYTERHUB_API_URL']}/jupytercloud/credentials/{quote(name, safe='')}"
    request = urllib.request.Request(  # noqa: S310 - the hub's own address
        url,
        headers={"Authorization": f"token {environ['JUPYTERHUB_API_TOKEN']}", "Accept-Language": language(environ)},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return dict(json.load(answer))


def shown(found: Mapping[str, Any]) -> str:
    """Return credentials as their reader wants them."""
    if found["kind"] == "webdav":
        return str(found["token"])
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": found["access_key"],
            "SecretAccessKey": found["secret_key"],
            "SessionToken": found["session_token"],
            "Expiration": found["expires"],
        }
    )


_FRENCH = {
    "{name} is not set: this runs inside a server of JupyterHub.": (
        "{name} n’est pas définie : cette commande s’exécute dans un serveur de JupyterHub."
    ),
    "{name}: the hub can't be asked ({error}).": "{name} : le hub ne répond pas ({error}).",
}
"""The package's catalogues are not in an image that has this folder only."""


def _complain(sentence: str, **values: str) -> None:
    shown_as = _FRENCH[sentence] if language(os.environ) == "fr" else sentence
    print(shown_as.format(**values), file=sys.stderr)  # noqa: T201


def main(arguments: list[str]) -> int:
    """Print the credentials of the remote that is named."""
    if len(arguments) != 1:
        print("usage: python -m jupytercloud_hub.spawners.inside.credentials NAME", file=sys.stderr)  # noqa: T201
        return 2
    try:
        print(shown(fetch(arguments[0])))  # noqa: T201
    except urllib.error.HTTPError as error:
        try:
            reason = str(json.load(error)["message"])
        except (ValueError, KeyError, TypeError):
            reason = f"HTTP {error.code}"
        print(f"{arguments[0]}: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyError as error:
        _complain("{name} is not set: this runs inside a server of JupyterHub.", name=error.args[0])
        return 1
    except (OSError, ValueError) as error:
        _complain("{name}: the hub can't be asked ({error}).", name=arguments[0], error=type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
