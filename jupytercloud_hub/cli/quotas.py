"""``jupytercloud quotas``: reports, grants, exports for councils, and sums computed anew."""

from __future__ import annotations

import asyncio
import csv
import getpass
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from ..contracts.text import Text
from ..settings import Settings
from ..settings.quotas import MEASURES, AccountKind, Measure
from .common import USAGE, WRONG, config_option, fail, json_option, language, load_or_fail, print_json, print_table, say
from .quotas_storage import storage

if TYPE_CHECKING:
    from ..quotas.grants import GrantRequest, GrantView
    from ..quotas.ledger import Ledger

T = TypeVar("T")
KINDS = get_args(AccountKind)
MOST_SHOWN = 1000
"""Differences in a table: a ledger of millions may have as many."""

from_option = click.option("--from", "first", help="First day, such as 2026-09-01; the first of this month.")
to_option = click.option("--to", "last", help="Last day, included; today.")


@click.group()
def command() -> None:
    """Usage and budgets: what was used, who may use more.

    \b
    Examples:
      jupytercloud quotas report --by organization
      jupytercloud quotas grant person anna --units 50 --until 2026-12-31 --reason "fin de thèse"
      jupytercloud quotas export --from 2026-01-01 --to 2026-12-31 --format csv > 2026.csv
      jupytercloud quotas rebuild --check
      jupytercloud quotas storage --homes /srv/homes
    """


@command.command()
@click.option(
    "--by", type=click.Choice([*KINDS, "profile"]), default="person", show_default=True, help="One line for each."
)
@from_option
@to_option
@config_option
@json_option
def report(by: str, first: str | None, last: str | None, config: Path, as_json: bool) -> None:
    """Show what was used in a period, the most first. Names are shown: it is for those who run the hub.

    \b
    Examples:
      jupytercloud quotas report --by profile --from 2026-11-01 --to 2026-11-30
      jupytercloud quotas report --json
    """
    settings = load_or_fail(config)
    begin, end = _period(settings, first, last)
    from ..quotas.usage import totals

    async def ask(ledger: Ledger) -> list[tuple[str, dict[str, float]]]:
        async with ledger.database.reading() as session:
            return await totals(session, ledger.hub, by, begin, end)

    rows = _with_ledger(settings, ask)
    if as_json:
        print_json([{by: name, **amounts} for name, amounts in rows])
        return
    heads = [
        Text("name"),
        Text("units"),
        Text("hours"),
        Text("core-hours"),
        Text("GiB-hours"),
        Text("GPU-hours"),
        Text("starts"),
    ]
    print_table(
        [say(head) for head in heads],
        [
            (name, *(f"{value:.2f}" if key != "starts" else int(value) for key, value in amounts.items()))
            for name, amounts in rows
        ],
    )


@command.command()
@click.argument("account", type=click.Choice(KINDS), required=False)
@click.argument("name", required=False)
@click.option("--units", type=float, help="Units of the tariff.")
@click.option("--cpu-hours", type=float, help="Core-hours.")
@click.option("--memory-hours", type=float, help="GiB-hours.")
@click.option("--gpu-hours", type=float, help="GPU-hours.")
@click.option("--gpu-type", help="With --gpu-hours: the type that they are for.")
@click.option("--since", help="First day on which it counts; from now on where left out.")
@click.option("--until", help="Last day on which it counts.")
@click.option("--reason", help="Why: it is what the next person reads.")
@click.option("--withdraw", type=int, metavar="NUMBER", help="End a grant now, by its number.")
@click.option("--list", "listed", is_flag=True, help="Show the grants, of ACCOUNT NAME or all.")
@config_option
@json_option
def grant(
    account: str | None,
    name: str | None,
    units: float | None,
    cpu_hours: float | None,
    memory_hours: float | None,
    gpu_hours: float | None,
    gpu_type: str | None,
    since: str | None,
    until: str | None,
    reason: str | None,
    withdraw: int | None,
    listed: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Give ACCOUNT (person, group, organization, hub) NAME more of something, for a time.

    It is added to each limit of the account's budget that counts the same thing.

    \b
    Examples:
      jupytercloud quotas grant person anna --units 50 --until 2026-12-31 --reason "fin de thèse"
      jupytercloud quotas grant group m2-stat --gpu-hours 20 --until 2026-12-15 --reason "projet"
      jupytercloud quotas grant --list
      jupytercloud quotas grant --withdraw 3
    """
    from ..quotas import grants
    from ..quotas.budgets import Account

    settings = load_or_fail(config)
    given = dict(zip(MEASURES, (units, cpu_hours, memory_hours, gpu_hours), strict=True))
    now = _now()

    async def act(ledger: Ledger) -> list[grants.GrantView]:
        async with ledger.writing() as session:
            if withdraw is not None:
                found = await grants.withdraw(session, ledger.hub, withdraw, now)
                return [grants.grant_view(found, now)] if found else []
            if listed:
                who = Account(account, name) if account and name else None  # type: ignore[arg-type]
                return [grants.grant_view(each, now) for each in await grants.grants_of(session, ledger.hub, who)]
            if request is None:
                return []
            row = await grants.give(session, ledger.hub, request, f"{getpass.getuser()} (jupytercloud quotas)", now)
            return [grants.grant_view(row, now)]

    request = None
    if withdraw is None and not listed:
        request = _grant_request(settings, account, name, given, gpu_type, since, until, reason)
    rows = _with_ledger(settings, act)
    if withdraw is not None and not rows:
        fail(Text("There is no grant {number}.", number=withdraw))
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    heads = [Text("number"), Text("account"), Text("amount"), Text("until"), Text("state"), Text("by"), Text("reason")]
    print_table(
        [say(head) for head in heads],
        [
            (
                row.id,
                f"{row.account} {row.name}",
                _amount(row),
                _shown(settings, row.ends),
                row.state,
                row.granted_by,
                row.reason,
            )
            for row in rows
        ],
    )


@command.command()
@click.option(
    "--by", "kinds", type=click.Choice(KINDS), multiple=True, help="Which accounts; group, organization and hub."
)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@from_option
@to_option
@config_option
def export(kinds: tuple[str, ...], form: str, first: str | None, last: str | None, config: Path) -> None:
    """Write the usage of a period by month, for a council: pseudonyms, and no groups that are too small.

    \b
    Examples:
      jupytercloud quotas export --from 2026-01-01 --to 2026-12-31 > 2026.csv
      jupytercloud quotas export --by person --format json
    """
    from ..quotas.council import UsageRow, council_rows, pseudonym
    from ..web.context import kept_secret

    settings = load_or_fail(config)
    begin, end = _period(settings, first, last)
    key = kept_secret(settings.state_folder, "quotas_pseudonym_key")

    async def write(ledger: Ledger) -> None:
        def named(username: str) -> str:
            return pseudonym(key, ledger.hub, username)

        asked = kinds or ("group", "organization", "hub")
        rows = council_rows(ledger, begin, end, asked, settings.privacy.smallest_group, named)  # type: ignore[arg-type]
        if form == "json":
            await _write_json(rows)
            return
        writer = csv.DictWriter(sys.stdout, list(UsageRow.model_fields))
        writer.writeheader()
        async for row in rows:
            writer.writerow(row.model_dump(mode="json"))

    async def _write_json(rows: AsyncIterator[UsageRow]) -> None:
        separator = "["
        async for row in rows:
            click.echo(f"{separator}\n{json.dumps(row.model_dump(mode='json'), ensure_ascii=False)}", nl=False)
            separator = ","
        click.echo("[]" if separator == "[" else "\n]")

    _with_ledger(settings, write)


@command.command()
@click.option("--check", is_flag=True, help="Only say where sums differ; exit code 1 where they do.")
@config_option
@json_option
def rebuild(check: bool, config: Path, as_json: bool) -> None:
    """Compute all sums again from the intervals, mend them, and report each difference.

    Days whose intervals are no longer all kept (privacy.retention.usage) are left alone.

    \b
    Examples:
      jupytercloud quotas rebuild --check
      jupytercloud quotas rebuild --json
    """
    from ..quotas.rebuild import rebuild as run

    settings = load_or_fail(config)

    async def work(ledger: Ledger) -> tuple[int, list[tuple[object, ...]]]:
        count = 0
        shown: list[tuple[object, ...]] = []
        async for difference in run(ledger, write=not check):
            for column, kept, is_true in difference.sums():
                key = [str(part) for part in difference.key]
                if as_json:
                    row = {"table": difference.table, "key": key, "sum": column, "kept": kept, "true": is_true}
                    click.echo(("," if count else "[") + json.dumps(row))
                elif count < MOST_SHOWN:
                    shown.append((difference.table, " ".join(key), column, kept, is_true))
                count += 1
        return count, shown

    count, rows = _with_ledger(settings, work)
    if as_json:
        click.echo("]" if count else "[]")
    elif not count:
        click.echo(say(Text("All sums agree with the intervals.")))
    else:
        heads = [Text("table"), Text("row"), Text("sum"), Text("was"), Text("is")]
        print_table([say(head) for head in heads], rows)
        if count > len(rows):
            click.echo(say(Text("… and {count} more (--json has all).", count=count - len(rows))))
    if check and count:
        raise SystemExit(WRONG)


command.add_command(storage)


def _grant_request(
    settings: Settings,
    account: str | None,
    name: str | None,
    given: Mapping[Measure, float | None],
    gpu_type: str | None,
    since: str | None,
    until: str | None,
    reason: str | None,
) -> GrantRequest:
    from ..quotas.grants import GrantRequest, day_end
    from ..quotas.windows import day_start

    amounts = {measure: amount for measure, amount in given.items() if amount is not None}
    if not account or not name or len(amounts) != 1 or not until or not reason:
        fail(Text("A grant needs an account, its name, one amount, --until and --reason."), USAGE)
    [(measure, amount)] = amounts.items()
    zone = settings.site.zone
    try:
        return GrantRequest(
            account=account,
            name=name,
            measure=measure,
            amount=amount,
            gpu_type=gpu_type,
            reason=reason,
            begins=day_start(_date(since), zone) if since else None,
            ends=day_end(_date(until), zone),
        )
    except ValidationError as error:
        fail(Text("{problem}", problem="; ".join(item["msg"] for item in error.errors())), USAGE)


def _amount(row: GrantView) -> str:
    from ..quotas import words

    return words.amount(row.measure, row.amount).in_(language())


def _shown(settings: Settings, moment: datetime) -> str:
    return moment.astimezone(settings.site.zone).isoformat(timespec="minutes")


def _now() -> datetime:
    from ..web.service import utc_now

    return utc_now()


def _date(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        fail(Text("{value} is not a day such as 2026-11-30.", value=value), USAGE)


def _period(settings: Settings, first: str | None, last: str | None) -> tuple[date, date]:
    """Return the days asked for; the second is left out."""
    from ..quotas.windows import DAY, local_day

    today = local_day(_now(), settings.site.zone)
    end = (_date(last) if last else today) + DAY
    begin = _date(first) if first else min(today, end - DAY).replace(day=1)
    if begin >= end:
        fail(Text("The period ends before it begins."), USAGE)
    return begin, end


def _with_ledger(settings: Settings, work: Callable[[Ledger], Awaitable[T]]) -> T:
    from ..quotas.service import PART, open_ledger
    from ..storage import Database

    async def run() -> T:
        database = Database(settings.database_url(PART), PART)
        try:
            await database.upgrade()
            ledger, _ = open_ledger(settings, database)
            return await work(ledger)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except SQLAlchemyError as error:
        fail(Text("The ledger is away: {error}", error=str(getattr(error, "orig", None) or error).splitlines()[0]))
