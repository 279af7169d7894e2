"""A single-user server that costs little: JupyterHub's own login in front of a few lines that compute and keep.

It writes down when it truly ran, which is what the ledger is compared with: one line at its start, and a file whose
time is renewed while it lives. ``python light_server.py`` with what a hub's spawner puts into the environment.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import Application, RequestHandler, authenticated

KEPT = Path("kept.txt")
"""In the person's home: what she wrote, one line for each time."""


class Work(HubOAuthenticated, RequestHandler):
    """GET tells what was kept; ``?write=WORD`` keeps one more line and answers with a sum that it computed."""

    @authenticated
    def get(self) -> None:
        word = self.get_query_argument("write", "")
        if word:
            with KEPT.open("a") as file:
                file.write(f"{word}\n")
        kept = KEPT.read_text().split() if KEPT.exists() else []
        user = self.get_current_user()
        told = {"owner": os.environ["JUPYTERHUB_USER"], "who": user["name"], "kept": kept, "pid": os.getpid()}
        self.write({**told, "sum": sum(range(1000))})


def main() -> None:
    """Serve until the hub says stop."""
    truth = Path(os.environ["FAULTS_TRUTH"])
    run = truth / f"{os.environ['JUPYTERCLOUD_SERVER'].replace('/', '+')}+{os.getpid()}+{time.time():.3f}.json"

    def lives() -> None:
        run.touch()

    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    application = Application(
        [(f"{prefix}oauth_callback", HubOAuthCallbackHandler), (f"{prefix}.*", Work)],
        cookie_secret=os.urandom(32),
    )
    application.listen(address.port or 0, address.hostname)
    run.write_text(json.dumps({"user": os.environ["JUPYTERHUB_USER"], "pid": os.getpid(), "began": time.time()}))
    PeriodicCallback(lives, 250).start()
    IOLoop.current().start()


if __name__ == "__main__":
    main()
