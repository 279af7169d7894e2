"""Homes on a file system that the hub sees too: made before the first start, with the owner that servers run as.

Docker binds no folder that is not there, and a kubelet makes a missing ``subPath`` as root's: a server of uid 1000
could write nothing in it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Dict
from traitlets.config import Configurable

from ..contracts.text import Text
from .base import ProfileMixin, slug
from .refusal import StartRefused

if TYPE_CHECKING:
    _Base = ProfileMixin
else:
    _Base = Configurable


class MadeHomesMixin(_Base):
    """Makes a person's folder. Stands before `ProfileMixin`."""

    made_home = Dict(
        help="""
        Where the hub sees people's homes: ``path``, ``uid``, ``gid``, ``mode``.

        In ``path`` the same places are filled in as in the home's own name (``{user}``, ``{username}`` on Swarm,
        ``{safe_username}`` on Kubernetes). A folder that is missing is made there before a start; one that is there
        is never touched. The hub's account must be allowed to give folders away (CAP_CHOWN) unless servers run as
        itself. Empty: somebody else makes homes.
        Example: ``{"path": "/mnt/homes/{user}", "uid": 1000, "gid": 100, "mode": "0700"}``.
        """,
    ).tag(config=True)

    def home_names(self) -> dict[str, str]:
        """Return what stands for ``{places}`` in a home's name; backends add how the spawner below writes names."""
        return {"hub": slug(self.site or "hub"), "user": slug(self.user.name)}

    async def start(self) -> Any:
        """Make the home where it is missing, then start."""
        if self.made_home:
            path = Path(self.made_home["path"].format(**self.home_names()))
            uid, gid = int(self.made_home.get("uid", 1000)), int(self.made_home.get("gid", 100))
            try:
                made = await asyncio.to_thread(make, path, uid, gid, int(str(self.made_home.get("mode", "0700")), 8))
            except OSError as error:
                raise StartRefused(
                    self.words(Text("Your home could not be made.")),
                    reason="home",
                    status_code=500,
                    log_message=f"{path}: {error}",
                ) from None
            if made:
                self.log.info("Made the home %s, owner %d:%d", path, uid, gid)
        return await super().start()


def make(path: Path, uid: int, gid: int, mode: int) -> bool:
    """Make a folder with its owner, all at once: nobody ever sees it with another; False where it is there already.

    Raises FileNotFoundError where the folder of all homes is missing: a file system that is not mounted.
    """
    if path.exists():
        return False
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    try:
        if (uid, gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, uid, gid)
        draft.chmod(mode)
        draft.rename(path)
    except OSError:
        draft.rmdir()
        if path.is_dir():  # another start of hers was a moment earlier
            return False
        raise
    return True
