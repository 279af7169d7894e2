"""The section ``mail:`` of the settings: the server through which all letters of the hub go, and who gets any."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ..contracts.model import Model
from ..contracts.text import Text
from .secrets import Secret

LOCAL = {"localhost", "127.0.0.1"}


class MailSettings(Model):
    """The mail server, for letters to operators and, where it is switched on, to people."""

    server: str = Field(default="localhost:25", pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$")
    """Host and port of an SMTP server."""
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    """Address in From, where answers go: ``noreply@hub.example.fr``."""
    security: Literal["none", "starttls", "tls"] = "none"
    """``starttls`` on port 587, ``tls`` on port 465; ``none`` for a server of this machine or of its own network."""
    user: str | None = None
    """Name for a server that asks for one."""
    password: Secret | None = None
    """Its password."""
    to_people: bool = False
    """true: warnings (a server that stops, a budget of which 80 or 100 % are used) also go to the person whom they are
    about, where her provider released an address. It is then shown to the hub's services in ``user_info``; it stands
    in no log and in no table of theirs."""

    @model_validator(mode="after")
    def _password_not_in_the_clear(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError(Text("user and password belong together"))
        if self.password is not None and self.security == "none" and self.host not in LOCAL:
            raise ValueError(Text("a password is sent over an encrypted connection only: security: starttls or tls"))
        return self

    @property
    def host(self) -> str:
        """The server's name."""
        return self.server.partition(":")[0]

    @property
    def port(self) -> int:
        """The server's port; without one, the usual one of ``security``."""
        usual = {"none": 25, "starttls": 587, "tls": 465}[self.security]
        return int(self.server.partition(":")[2] or usual)
