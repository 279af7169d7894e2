"""What a budget says to people: numbers, moments and measures in both languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from ..contracts.text import LANGUAGES, Language, Localized, Text
from ..contracts.units import format_duration
from ..settings.quotas import Budget
from ..web.i18n import translations
from .budgets import Account, Refused, Standing


def in_both(write: Callable[[Language], str]) -> Localized:
    """Return what ``write`` says in each language."""
    return Localized({language: write(language) for language in LANGUAGES})


def number(amount: float) -> Localized:
    """Return an amount as people read it: three decimals below 0.1, two below ten, one below a hundred, else none."""
    shown = rounded(amount)
    return in_both(lambda language: str(format_decimal(shown, locale=language)))


def rounded(amount: float) -> float:
    """Return an amount with as many digits as people are shown."""
    digits = 3 if abs(amount) < 0.1 else 2 if abs(amount) < 10 else 1 if abs(amount) < 100 else 0
    return round(amount, digits)


def moment(when: datetime, zone: str) -> Localized:
    """Return a moment with its weekday, on the clock of the hub."""
    return in_both(
        lambda language: str(format_datetime(when, "EEEE d MMMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=language))
    )


def day(when: date) -> Localized:
    """Return a day of the calendar."""
    return in_both(lambda language: str(format_date(when, "EEE d MMMM y", locale=language)))


def short_day(when: date) -> Localized:
    """Return a day of the calendar for the axis of a picture."""
    return in_both(lambda language: str(format_date(when, "d MMM", locale=language)))


def length(duration: timedelta) -> Localized:
    """Return a duration."""
    return in_both(lambda language: format_duration(duration, language))


def amount(measure: str, value: float) -> Localized:
    """Return an amount with what it counts, in the singular or plural of each language."""

    def said(language: Language) -> str:
        words, shown = translations(language), rounded(value)
        # French counts below two as one; English has one only at exactly one
        count = int(shown) if language == "fr" else 1 if shown == 1 else 2
        pattern = {
            "units": words.ngettext("{number} unit", "{number} units", count),
            "cpu_hours": words.ngettext("{number} core-hour", "{number} core-hours", count),
            "memory_hours": words.ngettext("{number} GiB-hour", "{number} GiB-hours", count),
            "gpu_hours": words.ngettext("{number} GPU-hour", "{number} GPU-hours", count),
            "cpu": words.ngettext("{number} core", "{number} cores", count),
            "gpu": words.ngettext("{number} GPU", "{number} GPUs", count),
            "servers": words.ngettext("{number} server", "{number} servers", count),
        }[measure]
        return pattern.format(number=number(value).in_(language))

    return in_both(said)


def window_name(standing: Standing) -> Text:
    """Return the window of a limit in words."""
    window = standing.limit.window
    if window == "month":
        return Text("this month")
    if window == "academic-year":
        return Text("this academic year")
    return Text("in the last {days} days", days=standing.limit.window.days)  # type: ignore[union-attr]


def title(budget: Budget) -> Localized:
    """Return the budget's title, or its name where it has none."""
    return budget.title or Localized(budget.name)


def seen_by_manager(account: Account) -> Text:
    """Return whose budget it is, for somebody else's eyes."""
    return Text("The budget of {name}", name=account.name) if account.kind == "person" else whose(account, capital=True)


def kind(name: str) -> Text:
    """Return what an account is."""
    return {
        "person": Text("person"),
        "group": Text("group"),
        "organization": Text("home organization"),
    }.get(name, Text("hub"))


def measure(name: str) -> Text:
    """Return what a measure counts, in the plural."""
    return {
        "units": Text("units"),
        "cpu_hours": Text("core-hours"),
        "memory_hours": Text("GiB-hours"),
    }.get(name, Text("GPU-hours"))


def whose(account: Account, *, capital: bool = False) -> Text:
    """Return whose budget it is, ``capital`` at the beginning of a sentence."""
    match account.kind:
        case "person":
            return Text("Your budget") if capital else Text("your budget")
        case "group":
            name = account.name
            return (
                Text("The budget of the group {name}", name=name)
                if capital
                else Text("the budget of the group {name}", name=name)
            )
        case "organization":
            name = account.name
            return Text("The budget of {name}", name=name) if capital else Text("the budget of {name}", name=name)
        case _:
            return Text("The budget of this hub") if capital else Text("the budget of this hub")


def refusal_text(refused: Refused, least: timedelta, contact: str, zone: str) -> Text:
    """Say why a server may not start: what is left, what was asked, when there is more, whom to ask."""
    refusal = refused.refusal
    common = {
        "whose": whose(Account(refusal.account, refusal.name)),
        "title": title(refused.budget),
        "limit": amount(refusal.measure, refusal.limit),
        "asked": amount(refusal.measure, refusal.asked),
        "ask": Text("To ask for more: {contact}.", contact=contact) if contact else "",
    }
    if refusal.measure in {"servers", "cpu", "gpu"}:
        return Text(
            "This server is not started: {whose} (“{title}”) allows {limit} at the same time, of which {used} "
            "are taken; this start asks for {asked}. It will start when another server has been stopped. {ask}",
            used=amount(refusal.measure, refusal.used),
            **common,
        )
    more = Text("There is more from {moment} on.", moment=moment(refusal.resets, zone)) if refusal.resets else ""
    return Text(
        "This server is not started: {whose} (“{title}”) has {left} left of {limit}; this start needs "
        "{asked}, for {least} of running time. {more} {ask}",
        left=amount(refusal.measure, max(0.0, refusal.limit - refusal.used)),
        least=length(least),
        more=more,
        **common,
    )


def warning_text(standing: Standing, zone: str) -> Text:
    """Say to a person, or to all who share a budget, how much of it is used and when there is more."""
    mine = standing.account.kind == "person"
    what = {
        "percent": min(standing.percent, 100),
        "whose": whose(standing.account, capital=not mine),
        "title": title(standing.budget),
        "window": window_name(standing),
        "left": amount(standing.limit.measure, standing.shown(standing.left)),
        "limit": amount(standing.limit.measure, standing.shown(standing.total)),
        "moment": moment(standing.span.resets, zone),
    }
    if mine:
        return Text(
            "{percent} % of {whose} (“{title}”) is used {window}: {left} left of {limit}. "
            "There is more from {moment} on.",
            **what,
        )
    return Text(
        "{whose} (“{title}”) is used to {percent} % {window}: {left} left of {limit}. There is more from {moment} on.",
        **what,
    )


def stop_text(standing: Standing, zone: str) -> Text:
    """Say why the culler stops a server for a budget."""
    return Text(
        "{whose} (“{title}”) is used up {window}: {limit}. Servers that count on it are stopped. "
        "There is more from {moment} on.",
        whose=whose(standing.account, capital=True),
        title=title(standing.budget),
        window=window_name(standing),
        limit=amount(standing.limit.measure, standing.shown(standing.total)),
        moment=moment(standing.span.resets, zone),
    )
