"""Images on the machines before anybody waits for them: what is shared by Swarm and Kubernetes.

On Swarm each image is a global service whose tasks end at once, on Kubernetes a DaemonSet holds them in use: machines
that join later pull them too. Nothing of it has the labels of servers, so that no sweep takes it for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol

from ..contracts.text import Text
from ..profiles.images import NamedImage

LABEL = "jupytercloud.hub/images"
"""Label with the slug of the hub whose catalogue names the images."""
IMAGE_LABEL = "jupytercloud.hub/image"

State = Literal["there", "fetching", "failed"]

WORDS: Mapping[State, Text] = {
    "there": Text("there"),
    "fetching": Text("being fetched"),
    "failed": Text("cannot be fetched"),
}


@dataclass(frozen=True)
class OnNode:
    """One image on one machine."""

    image: str
    node: str
    state: State
    engine: str = ""
    """The engine's own words where it cannot be fetched."""


class Puller(Protocol):
    """What a backend does for it."""

    async def pull(self, images: Sequence[NamedImage]) -> None:
        """Let every machine fetch these images anew, and no longer those that were asked for before."""

    async def look(self) -> Sequence[OnNode]:
        """Return how far it is."""

    async def remove(self) -> int:
        """Take away what `pull` made and return how much that was; the images stay until the machine's own cleaning."""


def name_of(site: str, image: str) -> str:
    """Return a name for what pulls an image: a DNS label, different for each hub and image."""
    digest = sha256(f"{site}\n{image}".encode()).hexdigest()[:12]
    return f"jc-images-{digest}"


def over(found: Iterable[OnNode], images: Sequence[str]) -> bool:
    """Return whether nothing is being fetched any more; not before each image was seen on a machine."""
    found = list(found)
    return {one.image for one in found} >= set(images) and all(one.state != "fetching" for one in found)
