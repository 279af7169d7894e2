"""Asks the quota service whether a server may start, holds its place, and gives it back."""

from __future__ import annotations

import asyncio

import httpx
from pydantic import ValidationError

from ..contracts.admission import (
    ADMISSION_PATH,
    ADMISSION_SECONDS,
    AdmissionAnswer,
    Confirm,
    Release,
    Reserve,
)
from ..contracts.budget_left import BUDGETS_PATH, BudgetsAsked, BudgetsLeft
from ..contracts.person import Person
from ..contracts.text import Language
from .http import asked


class NoAnswerError(Exception):
    """The quota service did not answer in time, or not in words that the contract knows."""


class Admission:
    """The client of one quota service; the connections are shared by all spawners of the hub's loop."""

    def __init__(self, url: str, token: str, timeout: float = ADMISSION_SECONDS) -> None:
        self._base = url.rstrip("/")
        self._address = f"{self._base}/{ADMISSION_PATH}"
        self._headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._timeout = timeout

    async def send(self, message: Reserve | Confirm | Release) -> AdmissionAnswer:
        """Return the service's answer. Raises `NoAnswerError` after the timeout (seconds) at the latest."""
        server = await asked(self._address)  # outside of the timeout: the first one reads certificates
        try:
            async with asyncio.timeout(self._timeout), server.slots:
                answer = await server.client.post(
                    self._address, content=message.model_dump_json(), headers=self._headers
                )
            if answer.status_code != httpx.codes.OK:
                raise NoAnswerError(f"{message.action}: HTTP {answer.status_code} {answer.text[:200]}")
            return AdmissionAnswer.model_validate_json(answer.content)
        except TimeoutError:
            raise NoAnswerError(f"{message.action}: no answer within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise NoAnswerError(f"{message.action}: {type(error).__name__} {error}") from None
        except ValidationError as error:
            raise NoAnswerError(f"{message.action}: an answer of another shape ({error.error_count()})") from None

    async def budgets(self, person: Person, language: Language) -> BudgetsLeft:
        """Return where a person's budgets stand, and prices. Raises `NoAnswerError` after the timeout at the latest."""
        address = f"{self._base}/{BUDGETS_PATH}"
        body = BudgetsAsked(person=person, language=language).model_dump_json()
        server = await asked(address)
        try:
            async with asyncio.timeout(self._timeout), server.slots:
                answer = await server.client.post(address, content=body, headers=self._headers)
            if answer.status_code != httpx.codes.OK:
                raise NoAnswerError(f"budgets: HTTP {answer.status_code}")
            return BudgetsLeft.model_validate_json(answer.content)
        except TimeoutError:
            raise NoAnswerError(f"budgets: no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, ValidationError) as error:
            raise NoAnswerError(f"budgets: {type(error).__name__}") from None
