"""The client of the hub's REST API keeps the promises of its docstring, on a hub that misbehaves as hubs do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from jupytercloud_hub.hubapi import HubApi, HubApiError, client
from jupytercloud_hub.hubapi.client import PAGE_SIZE, PAGINATION, RETRIES

URL = "http://127.0.0.1:8081/hub/api"


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Record how long the client would wait, and do not wait."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(client.asyncio, "sleep", record)
    return waited


def api(answer: Callable[[httpx.Request], httpx.Response], **options) -> HubApi:
    return HubApi(URL, "t0ken", transport=httpx.MockTransport(answer), **options)


class Answers:
    """Answers in turn; the last one stays."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def ok(value=None) -> httpx.Response:
    return httpx.Response(200, json=value or {})


class Users:
    """A hub with many users, in pages, as JupyterHub 6 gives them."""

    def __init__(self, count: int) -> None:
        self.names = [f"u{number:04}" for number in range(count)]
        self.asked: list[httpx.QueryParams] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept"] == PAGINATION
        assert request.headers["Authorization"] == "Bearer t0ken"
        query = request.url.params
        self.asked.append(query)
        offset, limit = int(query["offset"]), int(query["limit"])
        page = self.names[offset : offset + limit]
        more = offset + limit < len(self.names)
        body = {
            "items": [{"name": name} for name in page],
            "_pagination": {"next": {"offset": offset + limit, "limit": limit} if more else None},
        }
        return httpx.Response(200, json=body)


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE - 1])
async def test_users_come_from_all_pages_each_once(count):
    hub = Users(count)
    async with api(hub) as hub_api:
        assert [user["name"] async for user in hub_api.users(state="active")] == hub.names
    assert all(query["state"] == "active" for query in hub.asked)
    assert len(hub.asked) == max(1, -(-count // PAGE_SIZE))


async def test_a_user_who_stands_on_two_pages_because_the_list_changed_meanwhile_comes_once():
    hub = Users(PAGE_SIZE + 5)

    def shifting(request: httpx.Request) -> httpx.Response:
        answer = hub(request)
        if len(hub.asked) == 1:
            hub.names.insert(0, "new")
        return answer

    async with api(shifting) as hub_api:
        names = [user["name"] async for user in hub_api.users()]
    assert len(names) == len(set(names)) == PAGE_SIZE + 5


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_passing_error_is_tried_again_and_each_pause_is_longer(pauses, status):
    hub = Answers(*[httpx.Response(status)] * 3, ok({"a": 1}))
    async with api(hub) as hub_api:
        assert await hub_api.get("info") == {"a": 1}
    assert len(hub.requests) == 4
    for attempt, pause in enumerate(pauses):
        assert 0.125 * 2**attempt <= pause <= 0.25 * 2**attempt


async def test_a_lost_connection_is_tried_again(pauses):
    hub = Answers(httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), ok({"a": 1}))
    async with api(hub) as hub_api:
        assert await hub_api.get("info") == {"a": 1}


async def test_it_gives_up_after_its_last_try_and_says_where_and_why(pauses):
    hub = Answers(httpx.Response(503, json={"message": "starting"}))
    async with api(hub) as hub_api:
        with pytest.raises(HubApiError, match=r"503 for users/lea: starting") as caught:
            await hub_api.get("users/lea")
    assert (caught.value.status, caught.value.path) == (503, "users/lea")
    assert len(hub.requests) == RETRIES + 1


async def test_a_hub_that_is_not_there_is_status_0(pauses):
    async with api(Answers(httpx.ConnectError("refused"))) as hub_api:
        with pytest.raises(HubApiError, match="no answer") as caught:
            await hub_api.get("info")
    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("header", "expected"), [("3", 3.0), ("0", None), ("3600", 10.0), ("soon", None), ("-1", None)]
)
async def test_too_many_requests_waits_as_long_as_the_hub_says_but_never_longer_than_bearable(pauses, header, expected):
    hub = Answers(httpx.Response(429, headers={"Retry-After": header}), ok())
    async with api(hub) as hub_api:
        await hub_api.get("info")
    (pause,) = pauses
    assert pause == expected if expected else 0.125 <= pause <= 0.25


async def test_a_post_is_never_sent_twice_unless_the_hub_refused_it_before_it_acted(pauses):
    for lost in (httpx.Response(500), httpx.Response(503), httpx.ReadTimeout("slow")):
        hub = Answers(lost)
        async with api(hub) as hub_api:
            with pytest.raises(HubApiError):
                await hub_api.post("users/lea/server", {})
        assert len(hub.requests) == 1
    hub = Answers(httpx.Response(429), httpx.Response(201, json={"ok": True}))
    async with api(hub) as hub_api:
        assert await hub_api.post("users/lea/server", {}) == {"ok": True}
    assert len(hub.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_a_refusal_is_not_tried_again(pauses, status):
    hub = Answers(httpx.Response(status, json={"message": "no"}))
    async with api(hub) as hub_api:
        with pytest.raises(HubApiError, match="no"):
            await hub_api.get("users")
    assert len(hub.requests) == 1


async def test_never_more_calls_under_way_than_allowed():
    under_way = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        return httpx.Response(200, json={})

    async with HubApi(URL, "t", concurrency=3, transport=httpx.MockTransport(slow)) as hub_api:
        await asyncio.gather(*(hub_api.get("info") for _ in range(40)))
    assert most == 3


async def test_a_call_that_waits_to_be_tried_again_holds_up_no_other(monkeypatch):
    """With one slot, a call whose try failed gives the slot away while it waits."""
    order: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        order.append(request.url.path.rpartition("/")[2])
        return httpx.Response(503 if order == ["first"] else 200, json={})

    async with api(answer, concurrency=1) as hub_api:
        await asyncio.gather(hub_api.get("first"), hub_api.get("second"))
    assert order == ["first", "second", "first"]


async def test_names_with_any_character_stay_within_their_place_in_the_path():
    hub = Answers(httpx.Response(204))
    async with api(hub) as hub_api:
        assert await hub_api.stop_server("zoé/../root?x", "a b") is True
    assert hub.requests[0].url.raw_path == b"/hub/api/users/zo%C3%A9%2F..%2Froot%3Fx/servers/a%20b"


async def test_a_server_that_is_still_stopping_is_not_called_stopped():
    hub = Answers(httpx.Response(202))
    async with api(hub) as hub_api:
        assert await hub_api.stop_server("lea") is False
    assert hub.requests[0].url.path == "/hub/api/users/lea/server"


async def test_a_user_who_is_not_there_is_none():
    async with api(Answers(httpx.Response(404, json={"message": "No such user"}))) as hub_api:
        assert await hub_api.user("nobody") is None


async def test_a_body_travels_as_json():
    hub = Answers(httpx.Response(201))
    async with api(hub) as hub_api:
        assert await hub_api.post("groups/a/users", {"users": ["lea"]}) is None
    assert json.loads(hub.requests[0].content) == {"users": ["lea"]}


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b"", b"[]", b'"text"', b'{"message": null}'])
async def test_an_error_that_is_no_json_is_told_too(pauses, body):
    async with api(Answers(httpx.Response(502, content=body))) as hub_api:
        with pytest.raises(HubApiError, match="502"):
            await hub_api.get("info")


async def test_the_token_is_in_no_message():
    async with api(Answers(httpx.Response(403, json={"message": "no"}))) as hub_api:
        with pytest.raises(HubApiError) as caught:
            await hub_api.get("users")
    assert "t0ken" not in f"{caught.value!r} {caught.value}"
