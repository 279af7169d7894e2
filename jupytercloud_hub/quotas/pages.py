"""The quota service's addresses: the person's page, and the API for her, the spawner and the culler."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, cast

from tornado.web import authenticated

from ..contracts.admission import ADMISSION_SCOPE
from ..contracts.budget_left import BudgetLeft, BudgetsAsked, BudgetsLeft
from ..contracts.stops import StopList
from ..contracts.text import Text
from ..settings.configure.names import STOPS_SCOPE
from ..web.errors import PublicError, forbidden
from ..web.handlers import ApiHandler, BaseHandler, PageHandler
from . import words
from .budgets import Account
from .chart import chart
from .managing import Authority
from .notices import started_of
from .openapi import MOST_DAYS, AdmissionBody, document
from .report import DayView, Overview, UsageReport, budget_view, overview, report, standings_of

if TYPE_CHECKING:
    from .service import QuotasService

DAYS = 30
LONGEST_NAME = 255


def asked_days(handler: BaseHandler) -> int:
    """Return how many days are asked for. Raises `PublicError` 400."""
    asked = handler.get_query_argument("days", str(DAYS))
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked) <= MOST_DAYS:
        raise PublicError(
            400,
            "bad-days",
            Text("This period can't be shown"),
            Text("days is a whole number from 1 to {most}.", most=MOST_DAYS),
        )
    return int(asked)


def quotas_service(handler: BaseHandler) -> QuotasService:
    """Return the service that a handler belongs to."""
    return cast("QuotasService", handler.service)


async def _own(handler: BaseHandler, days: int) -> Overview:
    person = handler.person
    service = quotas_service(handler)
    return await overview(service.reader, Account("person", person.username), person, service.now(), days)


class PersonPage(PageHandler):
    """What I used, what is left, and when there is more."""

    @authenticated
    async def get(self) -> None:
        found = await _own(self, asked_days(self))
        values = [(each.day, each.profile, each.usage.measured("units")) for each in found.days]
        self.render_page(
            "quotas/person.html",
            found=found,
            picture=chart(values, found.first, found.last),
            titles=quotas_service(self).profile_titles(self.language),
            words=words,
            started_of=started_of,
            warn_at=min(quotas_service(self).quotas.warn_at, default=100),
            manages=Authority(self.person, quotas_service(self).quotas.managers).any,
        )


class AdmissionHandler(ApiHandler):
    """May this server start? For the hub's own token only."""

    required_scopes = (ADMISSION_SCOPE,)
    senseless = 422

    async def post(self) -> None:
        began = time.perf_counter()
        service = quotas_service(self)
        message = self.json_body(AdmissionBody).root
        answer = await service.admission.answer(message, await service.clock.now())
        service.metrics.admissions.labels(answer.verdict).inc()
        service.metrics.admission_seconds.observe(time.perf_counter() - began)
        self.write_model(answer)


class BudgetsHandler(ApiHandler):
    """Where a person's budgets stand, for her spawn form. For the hub's own token only."""

    required_scopes = (ADMISSION_SCOPE,)

    async def post(self) -> None:
        """Answer as the class says."""
        service, asked = quotas_service(self), self.json_body(BudgetsAsked)
        standings = await standings_of(service.reader, asked.person, service.now())
        views = (budget_view(standing, asked.language).model_dump() for standing in standings)
        budgets = tuple(BudgetLeft.model_validate(view) for view in views)
        self.write_model(BudgetsLeft(budgets=budgets, prices=service.prices()))


class StopsHandler(ApiHandler):
    """Whom the culler is to stop, and why."""

    required_scopes = (STOPS_SCOPE,)

    async def get(self) -> None:
        service = quotas_service(self)
        now = service.now()
        stops = await service.notices.stops(now, service.settings.site.timezone)
        self.write_model(StopList(generated=now, stops=tuple(stops)))


class UsageHandler(ApiHandler):
    """What I used; an administrator may name somebody else."""

    async def get(self) -> None:
        self.write_model(await self.usage())

    async def usage(self) -> UsageReport:
        """Return the report that is asked for. Raises `PublicError` 403 for somebody else's."""
        service = quotas_service(self)
        wanted = self.get_query_argument("user", None, strip=False)
        sent = len((self.request.query_arguments.get("user") or [b""])[-1].decode("utf-8", "replace"))
        if wanted is not None and (not 1 <= sent <= LONGEST_NAME or len(wanted) != sent):
            raise PublicError(400, "bad-user", Text("There is no such person"), Text("user is a username."))
        if wanted is None or wanted == self.person.username:
            found = await _own(self, asked_days(self))
        elif self.person.admin:
            account = Account("person", wanted)
            person = await service.person(wanted)
            found = await overview(service.reader, account, person, service.now(), asked_days(self))
        else:
            raise forbidden()
        return report(found, service.ledger.hub, self.language, service.prices())


class ExportHandler(UsageHandler):
    """The same as a file: what was used by day and profile."""

    async def get(self, form: str) -> None:  # type: ignore[override]
        found = await self.usage()
        name = f"usage-{found.hub}-{found.name}-{found.first}-{found.last}.{form}"
        safe = "".join(char if (char.isalnum() and char.isascii()) or char in "-._" else "_" for char in name)
        self.set_header("Content-Disposition", f'attachment; filename="{safe}"')
        if form == "json":
            self.write_model(found)
            return
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.write(as_csv(found.days))


class OpenApi(ApiHandler):
    """``GET api/v1/openapi.json``: this API, described."""

    anonymous = True

    def get(self) -> None:
        """Answer as the class says."""
        self.write_json(document(self.service.context.prefix))


def as_csv(days: tuple[DayView, ...]) -> str:
    """Return days as RFC 4180 text with a header line."""
    text = io.StringIO()
    columns = list(DayView.model_fields)
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for each in days:
        writer.writerow({key: "" if value is None else value for key, value in each.model_dump(mode="json").items()})
    return text.getvalue()


HANDLERS = [
    (r"", PersonPage),
    (r"api/v1/admission", AdmissionHandler),
    (r"api/v1/budgets", BudgetsHandler),
    (r"api/v1/stops", StopsHandler),
    (r"api/v1/usage", UsageHandler),
    (r"api/v1/openapi\.json", OpenApi),
    (r"api/v1/export\.(csv|json)", ExportHandler),
]
