"""The JSON Schema of ``jupytercloud.yaml``, for editors that complete and check while one types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .model import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _item(long: JsonSchemaValue) -> JsonSchemaValue:
    return dict(long.get("items", {}))


_SHORT_FORMS: dict[str, Callable[[JsonSchemaValue], JsonSchemaValue]] = {
    "_one_or_many": _item,
    "_one_rule_alone": _item,
    "_group_rule": lambda long: {"type": "string"},
    "_a_text_alone_is_the_value": lambda long: {"type": "string"},
    "_a_number_alone_is_the_most": lambda long: {"type": "integer", "minimum": 1},
    "_rates": lambda long: {"type": "number", "minimum": 0},
}
"""What a validator that runs before pydantic's own takes besides the long form; pydantic can't know it."""

_CLOCK = {"type": "string", "pattern": r"^([01]\d|2[0-4]):[0-5]\d(:[0-5]\d)?$", "examples": ["08:00", "18:30"]}


class _Schema(GenerateJsonSchema):
    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        long = super().function_before_schema(schema)
        name = getattr(schema["function"]["function"], "__name__", "")
        if name == "_clock":
            return dict(_CLOCK)
        short = _SHORT_FORMS.get(name)
        return {"anyOf": [short(long), long]} if short else long


def json_schema() -> dict[str, Any]:
    """Return the schema: every key with its description; a file that the hub takes is valid."""
    described = Settings.model_json_schema(schema_generator=_Schema)
    del described["properties"]["file"]
    for model in described["$defs"].values():
        if "anyOf" in model and "additionalProperties" in model:  # it would refuse what stands in a branch
            closed = model.pop("additionalProperties")
            model["anyOf"] = [
                {**form, "additionalProperties": closed} if "properties" in form else form for form in model["anyOf"]
            ]
    described["$defs"]["Profile"]["required"] = ["name"]  # the rest may come from the profile that it extends
    return {"$schema": DIALECT, **described, "title": "jupytercloud.yaml"}
