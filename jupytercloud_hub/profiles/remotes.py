"""Storage of a person's own that stands elsewhere (S3, WebDAV): where it is, never how to get in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from ..contracts.loopback import LOOPBACK
from ..contracts.model import Model
from ..contracts.text import Text
from ..contracts.units import Duration

REMOTES_VARIABLE = "JUPYTERCLOUD_REMOTES"
"""Environment variable that tells a server its remotes (JSON); nothing in it is secret."""


def _safe(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise ValueError(Text("an address that begins with https:// is expected: credentials travel to it"))
    if parts.username or parts.password or parts.fragment:
        raise ValueError(Text("an address without user, password and fragment is expected"))
    return value


RemoteAddress = Annotated[str, AfterValidator(_safe)]


class Remote(Model):
    """One remote storage that servers of a profile reach in the person's own name."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    """What people write: ``rclone ls NAME:``, ``aws --profile NAME``."""
    kind: Literal["s3", "webdav"]
    """``s3``: temporary keys by AssumeRoleWithWebIdentity; ``webdav``: the person's access token as bearer."""
    url: RemoteAddress
    """The S3 endpoint, or the WebDAV folder (``{username}`` stands for the person's name at this hub)."""
    sts: RemoteAddress | None = None
    """S3: where temporary keys come from; the endpoint itself where it is missing (MinIO, Ceph)."""
    role: str | None = Field(default=None, min_length=20, max_length=2048, pattern=r"^\S+$")
    """S3: ARN of the role that is taken; MinIO needs none."""
    trusts: Literal["id", "access"] = "access"
    """Which of the provider's tokens the storage trusts."""
    duration: Annotated[Duration, Field(ge=timedelta(minutes=15), le=timedelta(hours=12))] = timedelta(hours=1)
    """S3: how long temporary keys are good."""
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    """S3: region, which clients sign with."""
    vendor: Literal["nextcloud", "owncloud", "other"] = "other"
    """WebDAV: dialect, for rclone."""

    @model_validator(mode="after")
    def _each_kind_its_own(self) -> Self:
        if self.kind == "webdav" and (self.sts or self.role):
            raise ValueError(Text("sts and role are for kind: s3"))
        if self.kind == "webdav" and self.trusts == "id":
            raise ValueError(Text("WebDAV takes an access token; an ID token is nobody else's business"))
        return self

    def public(self, username: str) -> dict[str, str]:
        """Return what the server is told."""
        told = {"name": self.name, "kind": self.kind, "url": self.url.replace("{username}", username)}
        return told | ({"region": self.region} if self.kind == "s3" else {"vendor": self.vendor})


def each_once(remotes: Iterable[Remote]) -> tuple[Remote, ...]:
    """Return them. Raises ValueError for a name that stands there twice."""
    found: dict[str, Remote] = {}
    for remote in remotes:
        if remote.name in found:
            raise ValueError(Text("the remote {name} stands here twice", name=remote.name))
        found[remote.name] = remote
    return tuple(found.values())
