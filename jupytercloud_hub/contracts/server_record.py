"""What the spawner writes down about a server it started, and all that other parts ever read about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, model_validator

from .model import Model
from .units import parse_bytes

STATE_KEY = "jupytercloud"
"""The key under which `ServerRecord` stands in a spawner's ``get_state()``."""


def _bytes(value: Any) -> Any:
    return parse_bytes(value) if isinstance(value, str) else value


class Resources(Model):
    """What one server holds while it runs; the same four numbers on every backend. 0: no limit was set."""

    cpu: float = Field(ge=0, le=4096, allow_inf_nan=False, description="Cores, fractions allowed.")
    memory: Annotated[int, BeforeValidator(_bytes)] = Field(ge=0, le=2**50, description="Bytes of memory.")
    gpu: int = Field(default=0, ge=0, le=1024, description="Graphics processors, or slices of one (MIG, vGPU).")
    gpu_type: str | None = Field(
        default=None, min_length=1, max_length=64, description="The operator's name for the kind of GPU."
    )

    @model_validator(mode="after")
    def _type_of_something(self) -> Resources:
        if self.gpu_type is not None and not self.gpu:
            raise ValueError("gpu_type names a kind of GPU, but gpu is 0: give gpu, or leave gpu_type out")
        return self


class ServerRecord(Model):
    """What was resolved and authorised for one start; stands in the spawner's state, is sent at admission."""

    profile: str = Field(min_length=1, max_length=63, description="Name of the profile in the catalogue.")
    options: dict[str, JsonValue] = Field(default_factory=dict, description="Option name to chosen value.")
    resources: Resources

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> ServerRecord | None:
        """Return the record in a spawner's state, None where there is none.

        The REST API shows the state to who holds ``admin:server_state``.
        """
        try:
            return cls.model_validate((state or {}).get(STATE_KEY))
        except ValidationError:
            return None
