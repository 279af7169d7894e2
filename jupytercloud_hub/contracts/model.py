"""The base of every settings section and of every message between processes."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen record; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)
