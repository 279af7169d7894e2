"""What a profile asks of a machine, what a site has, and how both are said to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ..contracts.model import Model
from ..contracts.server_record import Resources
from ..contracts.text import Text
from ..contracts.units import Bytes, format_bytes
from .merge import merge


class _Share(Model):
    """A guarantee and a limit; one amount alone is the limit."""

    @model_validator(mode="before")
    @classmethod
    def _one_amount_is_the_limit(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, Mapping | _Share) else {"limit": value}

    @model_validator(mode="after")
    def _guarantee_within_limit(self) -> Self:
        guarantee, limit = getattr(self, "guarantee", None), getattr(self, "limit", None)
        if guarantee is not None and limit is not None and guarantee > limit:
            raise ValueError(Text("a guarantee that is not above the limit is expected"))
        return self

    @property
    def amount(self) -> float | None:
        """The limit, or the guarantee where there is no limit."""
        limit, guarantee = getattr(self, "limit", None), getattr(self, "guarantee", None)
        return guarantee if limit is None else limit

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.amount is None:
            raise ValueError(Text("an amount, or {{guarantee: …, limit: …}} is expected"))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        both = handler(schema)
        properties = handler.resolve_ref_schema(both).get("properties", {})
        return {"anyOf": [properties["limit"], both]} if "limit" in properties else both


class CpuShare(_Share):
    """Processor cores, such as 0.5 or 4."""

    guarantee: float | None = Field(default=None, gt=0)
    """Cores that are kept for the server."""
    limit: float | None = Field(default=None, gt=0)
    """Cores that the server never exceeds."""


class MemoryShare(_Share):
    """Memory, such as "16 GiB"."""

    guarantee: Bytes | None = Field(default=None, gt=0)
    """Memory that is kept for the server."""
    limit: Bytes | None = Field(default=None, gt=0)
    """Memory beyond which the server is ended by the system."""


class ProfileResources(Model):
    """What one server of a profile gets."""

    cpu: CpuShare = CpuShare(limit=1)
    """Cores: a number (the limit), or ``{guarantee: 0.5, limit: 4}``; one core where nothing is said."""
    memory: MemoryShare = MemoryShare(limit=1024**3)
    """Memory: an amount (the limit), or ``{guarantee: 2 GiB, limit: 16 GiB}``; 1 GiB if nothing is said."""
    gpu: int = Field(default=0, ge=0, le=64)
    """GPUs, or slices of GPUs where ``gpu_type`` names a slice."""
    gpu_type: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """One of the site's ``spawner.gpus``: a card (``a100``), a vGPU or a MIG slice (``a100-1g.5gb``)."""
    storage: Bytes | None = Field(default=None, gt=0)
    """Ephemeral disk on the node; Swarm has no such limit."""
    shm: Bytes | None = Field(default=None, gt=0)
    """Size of /dev/shm, which data loaders of machine learning fill."""

    @model_validator(mode="after")
    def _a_type_wants_a_gpu(self) -> Self:
        if self.gpu_type is not None and self.gpu == 0:
            raise ValueError(Text("gpu_type names a kind of GPU, but gpu is 0: give gpu, or leave gpu_type out"))
        return self

    def changed_by(self, over: ProfileResources) -> ProfileResources:
        """Return these with what a choice says laid on them; ValueError where the two contradict."""
        both = merge(self.model_dump(exclude_unset=True), over.model_dump(exclude_unset=True))
        try:
            return ProfileResources.model_validate(both)
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")
            said = cause.args[0] if isinstance(cause, ValueError) else Text("{message}", message=str(error))
            raise ValueError(Text("with this choice's resources: {rule}", rule=said)) from None

    def counted(self) -> Resources:
        """Return what is recorded and paid: the limit, or the guarantee where there is no limit."""
        return Resources(
            cpu=self.cpu.amount or 1.0,
            memory=int(self.memory.amount or 1024**3),
            gpu=self.gpu,
            gpu_type=self.gpu_type,
        )

    def facts(self) -> tuple[Text, ...]:
        """Return what the form says of them, in the order in which people ask."""
        facts: list[Text] = []
        cpu = self.cpu.amount
        if cpu:
            facts.append(Text("1 core") if cpu == 1 else Text("{cores} cores", cores=f"{cpu:g}"))
        memory = self.memory.amount
        if memory:
            facts.append(Text("{memory} of memory", memory=format_bytes(int(memory))))
        if self.gpu:
            facts.append(
                Text("{count} × GPU {type}", count=self.gpu, type=self.gpu_type)
                if self.gpu_type
                else Text("{count} × GPU", count=self.gpu)
            )
        return tuple(facts)


class Capabilities(Model):
    """What the spawner of this hub can give: declared by each backend, said on the form and by ``check``."""

    backend: str = "local"
    limits: Literal["enforced", "not enforced"] = "not enforced"
    """Whether the machine holds servers to their cpu and memory."""
    gpus: dict[str, int] = Field(default_factory=dict)
    """The types that the site has, each with the most that one server can get."""
    node_classes: frozenset[str] | None = None
    """Names that ``node_class`` may take; None where the backend places nothing."""
    images: bool = False
    """Whether servers run from the profile's image."""
    site: str | None = None
    """This site's name in the federation."""

    def shortage(self, resources: ProfileResources, node_class: str | None = None) -> Text | None:
        """Return why the site cannot ever give this, or None."""
        if resources.gpu:
            if not self.gpus:
                return Text("This profile needs a GPU, and this site has none.")
            if resources.gpu_type and resources.gpu_type not in self.gpus:
                return Text(
                    "This profile needs a GPU {type}; this site has: {types}.",
                    type=resources.gpu_type,
                    types=", ".join(sorted(self.gpus)),
                )
            most = self.gpus[resources.gpu_type] if resources.gpu_type else max(self.gpus.values())
            if resources.gpu > most:
                return Text(
                    "This profile needs {count} GPUs on one machine; this site gives at most {most}.",
                    count=resources.gpu,
                    most=most,
                )
        if node_class and self.node_classes is not None and node_class not in self.node_classes:
            return Text("This site has no machines of the class “{name}”.", name=node_class)
        return None
