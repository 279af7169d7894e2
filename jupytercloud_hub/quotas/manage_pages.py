"""Pages and API for who manages budgets: what accounts used, who is warned, grants given and withdrawn."""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from tornado.web import authenticated

from ..contracts.text import Text
from ..settings.quotas import MEASURES
from ..web.errors import PublicError, forbidden, not_found
from ..web.handlers import ApiHandler, BaseHandler, PageHandler
from . import words
from .budgets import Account
from .chart import chart
from .grants import GrantList, GrantRequest, GrantView, day_end, find, give, grant_view, grants_of, withdraw
from .ledger import moment_of
from .managing import Authority, people_of, shared_accounts, warned
from .notices import started_of
from .pages import asked_days, quotas_service
from .report import overview
from .windows import DAY, day_start, local_day

SECOND = timedelta(seconds=1)
GRANT_FIELDS = ("amount", "measure", "since", "until", "reason")
KINDS = ("person", "group", "organization", "hub")


class _Managing(BaseHandler):
    """What pages and API share: who is asking, and may she."""

    @property
    def authority(self) -> Authority:
        """What the person who asks may manage. Raises `PublicError` 403 where it is nothing."""
        found = Authority(self.person, quotas_service(self).quotas.managers)
        if not found.any:
            raise forbidden(Text("You manage no group, organization or hub here."))
        return found

    async def permit(self, account: Account) -> Account:
        """Return the account. Raises `PublicError` 403 where the person may not manage it."""
        service = quotas_service(self)
        async with service.ledger.database.reading() as session:
            if not await self.authority.over(session, service.ledger.hub, account):
                raise forbidden(Text("You do not manage {name}.", name=account.name))
        return account

    def account(self, kind: str, name: str) -> Account:
        """Return the account that an address names. Raises `PublicError` 404."""
        if kind not in KINDS or not name:
            raise not_found()
        return Account(kind, name)  # type: ignore[arg-type]

    async def grant(self, request: GrantRequest) -> GrantView:
        """Keep a grant in the name of the person who asks."""
        service = quotas_service(self)
        now = service.now()
        await self.permit(Account(request.account, request.name))
        if request.ends <= now:
            raise PublicError(
                422, "over", Text("This grant would be over"), Text("Its last day is to be today or later.")
            )
        async with service.ledger.writing() as session:
            row = await give(session, service.ledger.hub, request, self.person.username, now)
            view = grant_view(row, now)
        await service.notices.refresh(now)
        return view

    async def withdraw(self, number: int) -> GrantView:
        """End a grant now. Raises `PublicError` 404, 403."""
        service = quotas_service(self)
        now = service.now()
        async with service.ledger.database.reading() as session:
            row = await find(session, service.ledger.hub, number)
        if row is None:
            self.authority  # noqa: B018 - who manages nothing is not told which grants there are
            raise not_found()
        await self.permit(Account(row.kind, row.name))  # type: ignore[arg-type]
        async with service.ledger.writing() as session:
            ended = await withdraw(session, service.ledger.hub, number, now)
            if ended is None:
                raise not_found()
            view = grant_view(ended, now)
        await service.notices.refresh(now)
        return view


class ManagePage(_Managing, PageHandler):
    """What I manage: groups, organizations or the hub, with what they used, and who is warned."""

    @authenticated
    async def get(self) -> None:
        """Show it; ``?person=`` leads to a person's page."""
        service, authority = quotas_service(self), self.authority
        wanted = self.get_query_argument("person", "").strip()
        if wanted:
            self.redirect(f"{service.context.prefix}manage/person/{quote(wanted, safe='')}")
            return
        days = asked_days(self)
        end = local_day(service.now(), service.settings.site.zone) + DAY
        async with service.ledger.database.reading() as session:
            accounts = await shared_accounts(session, service.ledger.hub, authority, end - days * DAY, end)
            notices = await warned(session, service.ledger.hub, authority)
        budgets = {budget.name: budget for budget in service.quotas.budgets}
        self.render_page(
            "quotas/manage.html",
            accounts=accounts,
            notices=notices,
            budgets=budgets,
            days=days,
            words=words,
            moment_of=moment_of,
            quote=lambda name: quote(name, safe=""),
        )


class AccountPage(_Managing, PageHandler):
    """One account: its budgets, its picture, its people, its grants, and the form for another one."""

    @authenticated
    async def get(self, kind: str, name: str) -> None:
        """Show it."""
        await self.show(await self.permit(self.account(kind, name)))

    @authenticated
    async def post(self, kind: str, name: str) -> None:
        """Give or withdraw, as the form says, and come back."""
        service = quotas_service(self)
        account = await self.permit(self.account(kind, name))
        number = self.get_body_argument("withdraw", "")
        if number:
            await self.withdraw(grant_number(number))
        else:
            try:
                await self.grant(self._request(account))
            except ValidationError as error:
                wrong = {str(item["loc"][0]) if item["loc"] else "" for item in error.errors()}
                self.set_status(HTTPStatus.BAD_REQUEST)
                await self.show(account, wrong=wrong or {""})
                return
        self.redirect(f"{service.context.prefix}manage/{kind}/{quote(name, safe='')}?done=1")

    async def show(self, account: Account, wrong: set[str] | None = None) -> None:
        """Write the page; ``wrong`` names the fields of the form that can't be read."""
        service = quotas_service(self)
        now, days, zone = service.now(), asked_days(self), service.settings.site.zone
        person = await service.person(account.name) if account.kind == "person" else None
        found = await overview(service.reader, account, person, now, days)
        async with service.ledger.database.reading() as session:
            hub = service.ledger.hub
            grants = [grant_view(row, now) for row in await grants_of(session, hub, account)]
            people = []
            if account.kind != "person":
                people = await people_of(session, hub, account, found.first, found.last + DAY)
        values = [(each.day, each.profile, each.usage.measured("units")) for each in found.days]
        self.render_page(
            "quotas/account.html",
            account=account,
            found=found,
            grants=grants,
            people=people,
            picture=chart(values, found.first, found.last),
            titles=service.profile_titles(self.language),
            words=words,
            started_of=started_of,
            measures=MEASURES,
            wrong=wrong or set(),
            done=self.get_query_argument("done", "") == "1",
            today=local_day(now, zone),
            last_day=lambda ends: local_day(ends - SECOND, zone),
            given={name: self.get_body_argument(name, "") for name in GRANT_FIELDS},
            quote=lambda name: quote(name, safe=""),
        )

    def _request(self, account: Account) -> GrantRequest:
        zone = quotas_service(self).settings.site.zone
        amount = self.get_body_argument("amount", "").strip().replace(",", ".").replace("\u202f", "")
        since, until = (self.get_body_argument(name, "").strip() for name in ("since", "until"))
        begins = _day(since)
        last = _day(until)
        return GrantRequest.model_validate(
            {
                "account": account.kind,
                "name": account.name,
                "measure": self.get_body_argument("measure", "units"),
                "amount": amount,
                "reason": self.get_body_argument("reason", ""),
                "begins": day_start(begins, zone) if begins else since or None,
                "ends": day_end(last, zone) if last else None,
            }
        )


def grant_number(text: str) -> int:
    """Return the number of a grant. Raises `PublicError` 404 for what is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise not_found()
    return int(text)


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


class GrantsHandler(_Managing, ApiHandler):
    """The grants of what I manage."""

    senseless = 422

    async def get(self) -> None:
        """Answer with those of ``?account=&name=``, or all that the person may see."""
        service, authority = quotas_service(self), self.authority
        kind, name = self.get_query_argument("account", None), self.get_query_argument("name", None)
        account = None
        if kind is not None or name is not None:
            account = await self.permit(self.account(kind or "", name or ""))
        now, hub = service.now(), service.ledger.hub
        async with service.ledger.database.reading() as session:
            rows = await grants_of(session, hub, account)
            mine = [row for row in rows if await authority.over(session, hub, Account(row.kind, row.name))]  # type: ignore[arg-type]
        self.write_model(GrantList(grants=tuple(grant_view(row, now) for row in mine)))

    async def post(self) -> None:
        """Give."""
        self.write_model(await self.grant(self.json_body(GrantRequest)), HTTPStatus.CREATED)


class GrantHandler(_Managing, ApiHandler):
    """One grant."""

    async def delete(self, number: str) -> None:
        """Withdraw it."""
        self.write_model(await self.withdraw(grant_number(number)))


HANDLERS: list[tuple[Any, ...]] = [
    (r"manage", ManagePage),
    (r"manage/([a-z]+)/([^/]+)", AccountPage),
    (r"api/v1/grants", GrantsHandler),
    (r"api/v1/grants/([^/]+)", GrantHandler),
]
