"""How large homes are: measured in a folder, or read from what a storage system reports. Nothing is ever changed.

Three reports are understood: ``du`` (``du -sk *`` or ``du -s --block-size=1K *``), ``xfs`` (``xfs_quota -x -c
'report -N -u'`` or ``-p``: name, used KiB, limits), and ``csv`` (a header with ``name`` and ``bytes``; what a CSI
driver's metrics can be brought to in a line of PromQL).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_BLOCK = 512
"""Bytes in the unit of ``st_blocks``, whatever the file system: stat(3type)."""
_KIB = 1024


@dataclass(frozen=True, order=True)
class HomeSize:
    """What one home takes."""

    name: str
    bytes: int
    limit: int | None = None
    """The storage's own hard limit, where the report has one."""


class ReportError(ValueError):
    """A line of a report that is not what its format says."""

    def __init__(self, line: int, text: str, expected: str) -> None:
        self.line, self.text, self.expected = line, text, expected
        super().__init__(f"line {line}: {text!r} is not {expected}")


def measure(folder: Path) -> Iterator[HomeSize]:
    """Yield what each folder in ``folder`` takes on the disk, by name; links are not followed."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield HomeSize(entry.name, _size(Path(entry.path)))


def _size(folder: Path) -> int:
    """Return the bytes of a tree on its own file system; a file with several names counts once."""
    device = folder.stat().st_dev
    seen: set[int] = set()
    total, waiting = 0, [folder]
    while waiting:
        here = waiting.pop()
        try:
            total += here.stat().st_blocks * _BLOCK
            with os.scandir(here) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        if found.st_dev == device:
                            waiting.append(Path(entry.path))
                    elif found.st_nlink == 1 or found.st_ino not in seen:
                        seen.add(found.st_ino)
                        total += found.st_blocks * _BLOCK
        except (FileNotFoundError, PermissionError):
            continue  # it went away meanwhile, or is nobody's business
    return total


def read(form: str, lines: Iterable[str]) -> list[HomeSize]:
    """Return the homes of a report. Raises `ReportError` with the line that can't be read."""
    return {"du": _du, "xfs": _xfs, "csv": _csv}[form](lines)


def _du(lines: Iterable[str]) -> list[HomeSize]:
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        size, _, path = line.strip().partition("\t")
        if not size.isdigit() or not path:
            raise ReportError(number, line.strip(), "KiB, a tab and a path")
        found.append(HomeSize(PurePosixPath(path).name or path, int(size) * _KIB))
    return found


def _xfs(lines: Iterable[str]) -> list[HomeSize]:
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < 4 or not all(word.isdigit() for word in words[1:4]):
            raise ReportError(number, line.strip(), "a name, used KiB, soft and hard limit (report -N)")
        hard = int(words[3]) * _KIB
        found.append(HomeSize(words[0].removeprefix("#"), int(words[1]) * _KIB, hard or None))
    return found


def _csv(lines: Iterable[str]) -> list[HomeSize]:
    reader = csv.DictReader(lines)
    if not {"name", "bytes"} <= set(reader.fieldnames or ()):
        raise ReportError(1, ",".join(reader.fieldnames or ()), "a header with name and bytes")
    found = []
    for row in reader:
        size = (row["bytes"] or "").strip()
        if not size.isdigit() or not row["name"]:
            raise ReportError(reader.line_num, ",".join(str(value) for value in row.values()), "a name and whole bytes")
        found.append(HomeSize(row["name"], int(size)))
    return found
