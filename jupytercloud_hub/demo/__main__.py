"""The supervisor as a process: ``python -m jupytercloud_hub.demo OPTIONS``, started by ``jupytercloud demo`` only."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from ..cli.common import language, print_json, print_table, say
from ..contracts.text import Text
from . import files, keeper, people
from .plan import Plan, expected_site, what_she_sees
from .supervisor import Supervisor, run


def main(options: str) -> int:
    """Run one demo; `options` is JSON: state, first_port, node_folder, ready_file (or null), as_json."""
    chosen = json.loads(options)
    plan = Plan(Path(chosen["state"]), chosen["first_port"])
    ready_file = Path(chosen["ready_file"]) if chosen["ready_file"] else None
    keeper.adopt_orphans()

    def tell(text: Text) -> None:
        click.echo(say(text), err=chosen["as_json"])

    def announce() -> None:
        facts = files.ready(plan)
        if chosen["as_json"]:
            print_json(facts)
        else:
            _tables(plan)
        if ready_file:
            files.replace(ready_file, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")

    try:
        return asyncio.run(run(Supervisor(plan, tell, Path(chosen["node_folder"])), announce))
    finally:
        if ready_file:
            ready_file.unlink(missing_ok=True)


def _tables(plan: Plan) -> None:
    organizations, everybody = people.load()
    titles = {o.name: o.title for o in organizations}
    click.echo()
    print_table(
        (say(Text("What")), say(Text("Address"))),
        [
            (say(Text("Portal: begin here")), plan.hub("portal").url),
            *((say(Text("Site {name}", name=hub.name)), hub.url) for hub in plan.hubs if hub.role == "site"),
            (say(Text("Made-up identity federation")), plan.issuer),
        ],
    )
    click.echo()
    heads = (
        Text("Name"),
        Text("Organization"),
        Text("User name"),
        Text("Password"),
        Text("Site"),
        Text("What she sees"),
    )
    print_table(
        [say(head) for head in heads],
        [
            (
                person.name,
                titles[person.organization][language()],
                person.login,
                person.password,
                expected_site(person) or "–",
                say(what_she_sees(person)),
            )
            for person in everybody
        ],
    )
    click.echo()
    click.echo(say(Text("Ctrl-C ends everything; {path} keeps it for next time.", path=str(plan.state))))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
