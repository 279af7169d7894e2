"""Writes the reference pages from the models and commands, so that nothing is told twice."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

HERE = Path(__file__).parent / "reference"


def settings_page() -> str:
    """Describe every key of jupytercloud.yaml."""
    from jupytercloud_hub.settings import Settings

    lines = ["# jupytercloud.yaml", "", "Generated from the models. Keys that are not listed are errors.", ""]
    seen: set[type[BaseModel]] = set()

    def models(annotation: Any) -> list[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return [annotation]
        return [model for part in typing.get_args(annotation) for model in models(part)]

    def describe(model: type[BaseModel], path: str) -> None:
        if model in seen:
            return
        seen.add(model)
        lines.extend([f"## {path or 'the file'}", "", (model.__doc__ or "").strip().split("\n\n")[0], ""])
        inner: list[tuple[type[BaseModel], str]] = []
        for name, field in model.model_fields.items():
            if field.exclude:
                continue
            key = field.alias or name
            default = (
                ""
                if field.default is PydanticUndefined or field.default in (None, (), {})
                else f" — default `{field.default}`"
            )
            if isinstance(field.default, BaseModel):
                default = ""
            needed = " — **needed**" if field.is_required() else ""
            text = " ".join((field.description or "").split())
            lines.append(f"- `{key}`{needed}{default}: {text}")
            inner += [(one, f"{path}.{key}".lstrip(".")) for one in models(field.annotation)]
        lines.append("")
        for one, where in inner:
            describe(one, where)

    describe(Settings, "")
    return "\n".join(lines)


def commands_page() -> str:
    """Give the help of every command."""
    from jupytercloud_hub.cli.main import main

    lines = ["# The command jupytercloud", ""]

    def describe(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, info_name=path.split()[-1], parent=parent)
        lines.extend([f"## {path}", "", "```text", command.get_help(context), "```", ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner:
                    describe(inner, f"{path} {name}", context)

    describe(main, "jupytercloud", None)
    return "\n".join(lines)


def backends_page() -> str:
    """Say what each backend gives of a profile."""
    from jupytercloud_hub.profiles.features import TABLE

    backends = list(next(iter(TABLE.values())))
    lines = ["# What each backend gives of a profile", "", f"| | {' | '.join(backends)} |", "| --- " * 4 + "|"]
    lines += [
        f"| {feature} | {' | '.join(row[backend].value for backend in backends)} |" for feature, row in TABLE.items()
    ]
    lines += [
        "",
        "*not enforced*: it is there, but nothing holds anybody to it; *not given*: the profile's key is not used.",
    ]
    return "\n".join(lines) + "\n"


def setup(app: Any) -> dict[str, bool]:
    """Write the pages before Sphinx reads them."""
    HERE.mkdir(exist_ok=True)
    (HERE / "settings.md").write_text(settings_page())
    (HERE / "cli.md").write_text(commands_page())
    (HERE / "backends.md").write_text(backends_page())
    return {"parallel_read_safe": True}
