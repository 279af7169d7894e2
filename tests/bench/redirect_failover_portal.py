"""The portal of the failover measurement, a process of its own: sites and keys come in on standard input.

Its hub's answers are given (64 people, each at home at one of the sites); all else is the service as it is shipped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from jupytercloud_hub.federation import homes
from jupytercloud_hub.federation.homes import HomeSite
from tests.federation.conftest import portal_of, user

SETTINGS = """
site: {name: portal, role: portal, url: "http://127.0.0.1:1/portal/", state: ./state}
federation:
  sites:
"""


async def main(folder: Path) -> None:
    given = json.loads(sys.stdin.readline())
    lines = [
        f'    - {{name: {name}, url: "{site["url"]}", key: "{site["key"]}"}}' for name, site in given["sites"].items()
    ]
    file = folder / "jupytercloud.yaml"
    file.write_text(SETTINGS + "\n".join(lines) + "\n")
    async with portal_of(file) as portal:
        for name, site in given["people"].items():
            portal.hub.people[name] = user(name)
            person = user(name)["user_info"]["jupytercloud"]["person"]
            async with portal.service.database.session() as session:
                home = HomeSite(person, name, site, portal.service.now(), "bench", "")
                await homes.move(session, home, portal.service.now())
        print(json.dumps({"port": portal.port}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable(logging.INFO)
    asyncio.run(main(Path(sys.argv[1])))
