"""Brings one part's tables to the newest version in a process of its own: ``Database.upgrade(apart=True)``.

``python -m jupytercloud_hub.storage.upgrade PART``, with the database's address on standard input.
"""

from __future__ import annotations

import sys

from sqlalchemy.exc import SQLAlchemyError

from .database import short, upgrade


def main() -> int:
    """Upgrade; on failure one line on standard error, without the address."""
    try:
        upgrade(sys.stdin.read().strip(), sys.argv[1])
    except SQLAlchemyError as error:
        sys.stderr.write(f"{short(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
