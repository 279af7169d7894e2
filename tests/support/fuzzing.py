"""Schemathesis on the document that a running service gives of itself."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

MAKES_SENSE_OR_NOT = """
# 422: what is right by its schema and makes no sense (an end before its beginning); 409: what is over
[checks.positive_data_acceptance]
expected-statuses = [{statuses}]
"""


async def failures_of_api(document: str, token: str, folder: Path, *, examples: int = 15, **parameters: str) -> str:
    """Return what is wrong with a service, in Schemathesis' words; empty: nothing. All checks, both kinds of data.

    ``parameters`` of paths are given so that what is there is found; others are made up.
    """
    program = shutil.which("schemathesis") or str(Path(sys.executable).with_name("schemathesis"))
    config = folder / "schemathesis.toml"
    statuses = ", ".join(f'"{status}"' for status in ("2xx", 401, 403, 404, 409, 422))
    known = "".join(f'"path.{name}" = "{value}"\n' for name, value in parameters.items())
    config.write_text(f"[parameters]\n{known}\n{MAKES_SENSE_OR_NOT.format(statuses=statuses)}")
    process = await asyncio.create_subprocess_exec(
        program, "--config-file", str(config), "run", document, "--header", f"Authorization: Bearer {token}",
        "--max-examples", str(examples), "--seed", "1", "--no-color", "--checks", "all",
        "--phases", "examples,coverage,fuzzing", "--request-timeout", "20",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return printed.decode()[-12000:] if process.returncode else ""
