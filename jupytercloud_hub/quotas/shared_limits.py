"""Limits over all sites at this site's admission: what the portal told, held against one start.

With the portal away, what it told goes stale within a minute: nothing is refused by it then, and who starts a server
is told so.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.admission import AdmissionAnswer, Refusal, Reserve
from ..contracts.limits import Reached, reached
from ..contracts.text import Text
from ..settings import Settings
from ..storage.limits_file import LimitsFile
from ..web.i18n import render
from .tables import PLACE, RUNNING, Interval, Live
from .words import moment

log = logging.getLogger("jupytercloud.quotas")

NOT_APPLIED = Text("The portal does not answer: limits over all sites are not applied to this start.")


class SharedLimits:
    """Asks what the portal told last, for a site that wants to know (``federation.portal.ask_limits``)."""

    def __init__(self, settings: Settings) -> None:
        portal = settings.federation.portal if settings.federation else None
        self._asked = portal is not None and portal.ask_limits
        self._file = LimitsFile(Path(settings.state_folder))
        self._site = settings.site
        self._away = False

    async def judge(self, session: AsyncSession, message: Reserve, now: datetime) -> AdmissionAnswer | None:
        """Return the refusal of a start that a limit over all sites speaks against; None: none does."""
        person = message.person.person
        if not self._asked or not person:
            return None
        told = self._file.told()
        self._note(told is None or not told.holds(now))
        if told is None or not told.holds(now) or not told.limits:
            return None
        query = (
            select(Interval.profile, Interval.gpu)
            .join(Live, Live.interval_id == Interval.id)
            .where(
                Live.hub == message.key.hub,
                Live.kind == "person",
                Live.name == message.key.user,
                Interval.state.in_((PLACE, RUNNING)),
            )
        )
        here = [(profile, gpu > 0) for profile, gpu in (await session.execute(query)).all()]
        record = message.record
        found = reached(told, self._site.name, person, record.profile, record.resources.gpu > 0, here)
        return self._refusal(found, message) if found else None

    def warning(self, message: Reserve, now: datetime) -> Text | None:
        """Return what somebody is told whose start was not held against the limits, though it should be."""
        if not self._asked or not message.person.person:
            return None
        told = self._file.told()
        return None if told is not None and told.holds(now) else NOT_APPLIED

    def _refusal(self, found: Reached, message: Reserve) -> AdmissionAnswer:
        limit = found.limit
        if found.elsewhere:
            first = found.elsewhere[0]
            text = Text(
                "“{limit}” allows {most} at once over all sites, and you have {count}, of them {there} at {site} (as "
                "known on {when}). Stop one of them, then start again.",
                limit=limit.shown,
                most=limit.most,
                count=found.count,
                there=first.count,
                site=first.site,
                when=moment(first.known, self._site.timezone),
            )
        else:
            text = Text(
                "“{limit}” allows {most} at once over all sites, and you have {count} here. Stop one of them, then "
                "start again.",
                limit=limit.shown,
                most=limit.most,
                count=found.count,
            )
        refusal = Refusal(
            rule=limit.name,
            account="person",
            name=message.key.user,
            measure="servers",
            limit=limit.most,
            used=found.count,
            asked=1,
        )
        return AdmissionAnswer(verdict="refused", message=render(text, message.language), refusal=refusal)

    def _note(self, away: bool) -> None:
        if away is not self._away:
            self._away = away
            if away:
                log.warning("the portal's limits over all sites are not known now: nothing is refused by them")
            else:
                log.info("the portal tells its limits over all sites again: they are applied")
