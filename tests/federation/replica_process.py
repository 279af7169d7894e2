"""A replica of the portal as a process of its own, for tests that kill it: ``python -m … SETTINGS`` prints its port."""

import asyncio
import json
import logging
import sys
from pathlib import Path

from tests.federation.conftest import portal_of


async def main(file: Path) -> None:
    async with portal_of(file) as portal:
        print(json.dumps({"port": portal.port}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(main(Path(sys.argv[1])))
