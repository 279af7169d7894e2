"""A profile's volumes on backend local: links in the home to what the machine has, and scratch room of the server."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..contracts.finding import Finding
from ..contracts.text import Text
from ..profiles.catalogue import Profile, Volume
from ..profiles.features import link_of, source_of

AREA = "spawner"


def place(home: Path, volumes: Iterable[Volume], scratch: Path) -> Iterator[Text]:
    """Make the volumes reachable from a home; yield, in words, what of them is not there.

    Something of the person's own that has a link's name stays. ``scratch`` is made anew where a volume wants it.
    """
    for number, volume in enumerate(volumes):
        link = link_of(volume)
        if volume.kind == "scratch":
            source = scratch / str(number)
            source.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not source_of(volume).startswith("/"):
            yield Text(
                "{target} is not there: this site has no volume {source}.", target=volume.target, source=volume.source
            )
            continue
        else:
            source = Path(source_of(volume))
        if not source.exists():
            yield Text("{path} is not on this machine.", path=str(source))
        elif link is not None and not _linked(home, home / link, source):
            yield Text(
                "{target} is not there: your files have something else called {link}.",
                target=volume.target,
                link=str(link),
            )


def _linked(home: Path, link: Path, source: Path) -> bool:
    """Make a link, unless her own link leads out of the home; return whether it leads where it is to."""
    if link.is_symlink() and link.readlink() == source:
        return True
    if link.is_symlink() or link.exists() or not link.parent.resolve().is_relative_to(home.resolve()):
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(source)
    return True


def forget(scratch: Path) -> None:
    """Remove a server's scratch room; links in it are not followed."""
    shutil.rmtree(scratch, ignore_errors=True)


def look(profiles: Sequence[Profile]) -> list[Finding]:
    """Return what the profiles mount that this machine does not have, for ``jupytercloud check``."""
    wanted: dict[str, list[str]] = {}
    for profile in profiles:
        for volume in profile.volumes:
            source = source_of(volume)
            if source.startswith("/") and not Path(source).exists():
                wanted.setdefault(source, []).append(profile.name)
    mend = Text("Make it or mount it here, or take the volume out of the profile.")
    why = Text("servers start without it, and tell so")
    return [
        Finding(
            AREA,
            "warning",
            Text("profile {names}: {path} is not on this machine", names=", ".join(names), path=path),
            mend,
            why,
        )
        for path, names in wanted.items()
    ]
