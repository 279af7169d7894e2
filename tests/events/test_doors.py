"""Coming in with a code, on a real hub, without JavaScript."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from jupytercloud_hub.events import codes as pure
from jupytercloud_hub.spawners.base import slug
from tests.support.hub import stop_hub

from .conftest import INSIDE, OPENS, SEATS, Fair, make_event, start, words

OPEN_CODE = pytest.mark.parametrize("fair", [("--open-code",)], indirect=True)


async def come_in(fair: Fair, code: str) -> str:
    async with fair.visitor() as visitor:
        answer = await visitor.give(code)
        assert answer.status_code == 302, words(answer)
        return await visitor.seat()


async def test_a_code_opens_a_seat_and_the_same_seat_on_another_device(fair: Fair) -> None:
    code = fair.codes["visitor"][0]
    async with fair.visitor() as telephone, fair.visitor("192.0.2.9", "en") as tablet:
        page = await telephone.look(f"login?code={pure.read(code)}")
        assert f'value="{code}"' in page.text
        assert await telephone.seat() == "", "a link alone lets nobody in"
        answer = await telephone.give(code.lower().replace("-", " "))
        assert answer.headers["location"] == "/salon/hub/event/enter"
        await tablet.give(code)
        assert await telephone.seat() == await tablet.seat() == "seat-0001"
        user = fair.app.users["seat-0001"]
        info = user.user_info["jupytercloud"]
        assert info == {"event": "salon", "language": "fr", "seat": "assigned"}
        assert user.user_info["name"].count(" ") == 1, "a pseudonym, drawn from the list"

        # The server starts by her coming; both devices find it.
        waiting = await telephone.look("event/enter")
        assert waiting.status_code == 200
        assert waiting.headers["refresh"] == "2; url=/salon/hub/event/enter"
        async with asyncio.timeout(60):
            while (answer := await telephone.look("event/enter")).status_code != 302:
                await asyncio.sleep(0.1)
        assert answer.headers["location"] == (await tablet.look("event/enter")).headers["location"]
        assert answer.headers["location"].startswith("/salon/user/seat-0001/")
        state = user.spawner.get_state()
        assert state["jupytercloud_seat"] == {"event": "salon", "seat": "unassigned"}


async def test_what_is_no_code_is_said_at_once_and_a_code_of_nobody_lets_nobody_in(fair: Fair) -> None:
    async with fair.visitor() as visitor:
        for typed in ("", "ABC", "000-000-000", "<script>", "é" * 300, fair.codes["visitor"][0][:-1] + "0"):
            answer = await visitor.give(typed)
            assert answer.status_code == 403
            assert "Ce n'est pas un code entier" in words(answer)
            assert "<script>alert" not in answer.text
        answer = await visitor.give(pure.new_code(random.Random(1).choice))
        assert answer.status_code == 403
        assert "Ce code n'a été donné à personne" in words(answer)
        assert await visitor.seat() == ""


async def test_jupyterhubs_own_ways_to_log_in_take_no_account_name(fair: Fair) -> None:
    await come_in(fair, fair.codes["visitor"][0])
    async with fair.visitor() as visitor:
        await visitor.give("")
        xsrf = next(cookie.value for cookie in visitor.client.cookies.jar if cookie.name == "_xsrf")
        answer = await visitor.client.post(
            "login", data={"username": "seat-0001", "password": "", "admitted": "seat-0001", "_xsrf": xsrf}
        )
        assert answer.status_code == 403
        body = {"auth": {"username": "seat-0001", "password": "x"}}
        answer = await visitor.client.post("api/users/seat-0001/tokens", json=body)
        assert answer.status_code == 403


async def test_who_finds_no_seat_waits_in_order_and_comes_in_by_herself(fair: Fair) -> None:
    for code in fair.codes["visitor"][:SEATS]:
        await come_in(fair, code)
    fifth, sixth = fair.codes["visitor"][SEATS : SEATS + 2]
    async with fair.visitor() as one, fair.visitor() as two:
        answer = await one.give(fifth)
        assert answer.headers["refresh"] == "5; url=/salon/hub/event/wait"
        assert "Votre place dans la file : 1" in words(answer)
        fair.now += timedelta(seconds=1)
        assert "Votre place dans la file : 2" in words(await two.give(sixth))
        assert "Votre place dans la file : 1" in words(await one.look())

        store = await fair.authenticator.store()
        await store.reset(["seat-0002"])
        await store.seat("seat-0002", state="free")
        assert (await two.look()).status_code == 200, "not her turn yet"
        assert (await one.look()).status_code == 302
        assert await one.seat() == "seat-0002"
        assert "Votre place dans la file : 1" in words(await two.look())

        # Who closed the page holds nobody up.
        await store.reset(["seat-0001"])
        await store.seat("seat-0001", state="free")
        fair.now += timedelta(minutes=5)
        assert (await two.look()).status_code == 302


@pytest.mark.parametrize("fair", [("--seats", "200", "--codes", "202")], indirect=True)
async def test_the_201st_visitor_of_a_full_fair_waits_first_in_the_queue_and_gets_the_seat_that_is_given_back(
    fair: Fair,
) -> None:
    *first, late, later = fair.codes["visitor"]
    doors = asyncio.Semaphore(10)

    async def come(code: str) -> str:
        async with doors:
            return await come_in(fair, code)

    seats = await asyncio.gather(*map(come, first))
    assert sorted(seats) == [f"seat-{number:04}" for number in range(1, 201)], "each has a seat of her own"
    async with fair.visitor() as one, fair.visitor() as two, fair.visitor() as known:
        assert "Votre place dans la file : 1" in words(await one.give(late))
        fair.now += timedelta(seconds=1)
        assert "Votre place dans la file : 2" in words(await two.give(later))
        assert (await known.give(first[0])).status_code == 302, "who has a seat comes back past the queue"
        store = await fair.authenticator.store()
        await store.reset(["seat-0137"])
        await store.seat("seat-0137", state="free")
        assert (await two.look()).status_code == 200
        assert (await one.look()).status_code == 302
        assert await one.seat() == "seat-0137"


async def test_outside_of_the_hours_the_page_says_when_it_opens_and_opens_by_itself(fair: Fair) -> None:
    code = fair.codes["visitor"][0]
    async with fair.visitor() as visitor:
        fair.now = OPENS - timedelta(hours=2)
        answer = await visitor.give(code)
        assert "samedi 6 mars 10:00" in words(answer)
        assert answer.headers["refresh"] == "30; url=/salon/hub/event/wait"
        fair.now = INSIDE
        assert (await visitor.look()).status_code == 302

        # Night; and a clock that jumps a year ahead and back again.
        fair.now = OPENS + timedelta(hours=12)
        assert "dimanche 7 mars 10:00" in words(await visitor.look("event/enter"))
        fair.now = INSIDE + timedelta(days=365)
        assert "C'est fini" in words(await visitor.look("event/enter"))
        fair.now = INSIDE
        assert "démarre" in words(await visitor.look("event/enter"))
        assert await visitor.seat() == "seat-0001"


async def test_after_closing_a_code_opens_nothing_but_its_holders_work(fair: Fair) -> None:
    code = fair.codes["visitor"][0]
    seat = await come_in(fair, code)
    work = Path(fair.authenticator.work_folder)
    work.mkdir(parents=True)
    (work / f"{seat}.zip").write_bytes(b"PK her work")
    (work / "seat-0002.zip").write_bytes(b"PK another's work")
    fair.now = OPENS + timedelta(days=2)
    async with fair.visitor() as visitor, fair.visitor() as stranger:
        answer = await visitor.give(code)
        assert "C'est fini" in words(answer)
        assert "14 mars 2027" in words(answer)
        assert (await visitor.look("event/work")).content == b"PK her work"
        assert "Rien n'est conservé" in words(await stranger.give(fair.codes["visitor"][1]))
        assert (await stranger.look("event/work")).status_code == 302
        fair.now += timedelta(days=7)
        assert (await visitor.look("event/work")).status_code == 302, "the links have expired"


async def test_a_guess_that_waits_for_its_turn_gets_no_work_out_of_the_hub(
    fair: Fair, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = fair.codes["visitor"][0]
    work = Path(fair.authenticator.work_folder)
    work.mkdir(parents=True)
    (work / f"{await come_in(fair, code)}.zip").write_bytes(b"PK her work")
    fair.now = OPENS + timedelta(days=2)
    async with fair.visitor() as guesser:
        with monkeypatch.context() as full:
            full.setattr(fair.authenticator.guard, "take", lambda *_, **__: False)
            assert (await guesser.give(code)).headers["refresh"], "told to wait"
            assert (await guesser.look("event/work")).status_code == 302
        await guesser.look()
        assert (await guesser.look("event/work")).content == b"PK her work"


async def test_organizers_and_helpers_come_in_by_codes_of_their_own_at_any_hour(fair: Fair) -> None:
    fair.now = OPENS - timedelta(days=3)
    for kind, group in (("organizer", "event-organizers"), ("helper", "event-helpers")):
        async with fair.visitor() as person:
            answer = await person.give(fair.codes[kind][0])
            assert answer.headers["location"] == "/salon/services/events/"
            name = await person.seat()
            assert name.startswith(f"{kind}-")
            user = fair.app.users[name]
            assert [one.name for one in user.groups] == [group]
            assert not user.admin
            assert (await person.look("event/enter")).headers["location"] == "/salon/services/events/"
    assert len((await (await fair.authenticator.store()).seating(fair.now)).free) == SEATS


@OPEN_CODE
async def test_the_open_code_gives_each_visitor_a_code_of_her_own_up_to_the_cap(fair: Fair) -> None:
    (code,) = fair.codes["open"]
    own: list[str] = []
    for number in range(SEATS + 1):
        async with fair.visitor(f"192.0.2.{number}") as visitor:
            answer = await visitor.give(code)
            if number == SEATS:
                assert answer.status_code == 403
                assert f"{SEATS} personnes" in words(answer)
                break
            mine = answer.text.split('name="code" value="')[1].split('"')[0]
            assert mine in (await visitor.give(code)).text, "the same browser gets the same code"
            assert (await visitor.give(mine)).status_code == 302
            own.append(mine)
    assert len(set(own)) == SEATS
    assert await come_in(fair, own[0]) == "seat-0001"


async def test_a_hub_that_restarts_with_a_full_house_takes_nobodys_seat_server_or_work(tmp_path: Path) -> None:
    folder = make_event(tmp_path, "--codes", "5")
    fair = await start(folder)
    visitors = {code: fair.visitor() for code in fair.codes["visitor"][:SEATS]}
    before: dict[str, tuple[str, int]] = {}
    for code, visitor in visitors.items():
        await visitor.give(code)
        async with asyncio.timeout(60):
            while (await visitor.look("event/enter")).status_code != 302:
                await asyncio.sleep(0.1)
        seat = await visitor.seat()
        before[code] = seat, fair.app.users[seat].spawner.pid
        (folder / "homes" / slug(seat) / "carnet.ipynb").write_text(code)
    assert len(set(before.values())) == SEATS, "a full house"
    await stop_hub(fair.app, servers=False)

    fair = await start(folder)
    try:
        for code, visitor in visitors.items():
            async with visitor, fair.visitor() as again:
                for cookie in visitor.client.cookies.jar:
                    again.client.cookies.jar.set_cookie(cookie)
                assert (await again.look("event/enter")).status_code == 302, "her cookie and her server are still good"
            seat, process = before[code]
            assert await come_in(fair, code) == seat
            assert fair.app.users[seat].spawner.pid == process
            assert (folder / "homes" / slug(seat) / "carnet.ipynb").read_text() == code
        async with fair.visitor() as late:
            assert "Votre place dans la file : 1" in words(await late.give(fair.codes["visitor"][SEATS]))
    finally:
        await stop_hub(fair.app)


async def test_guesses_from_many_addresses_find_none_and_keep_no_visitor_out(fair: Fair) -> None:
    """Scaled: 300 well-formed guesses from 10 addresses; ``python -m tests.bench.guesses`` takes 10,000 from 50."""
    draw = random.Random(5).choice
    guesses, attackers, scale = 300, 10, 30
    for lane in fair.authenticator.guard._all.values():
        lane.burst, lane.left, lane.rate = lane.burst / scale, lane.left / scale, lane.rate / scale
    outcomes: list[int] = []

    async def attack(number: int) -> None:
        async with fair.visitor(f"192.0.2.{number}") as attacker:
            for code in pure.new_codes(guesses // attackers, draw):
                answer = await attacker.give(code)
                outcomes.append(answer.status_code)
                assert answer.status_code in (200, 403)
                attacker.client.cookies.delete("event-ticket", path="/salon/hub/")

    async def true_visitor(number: int) -> int:
        """Return how often her page had to ask again, every two seconds: seconds of a busy machine say nothing."""
        await asyncio.sleep(0.2 * number)
        async with fair.visitor("192.0.2.1") as visitor:  # behind the same address as an attacker
            asked = 0
            answer: httpx.Response = await visitor.give(fair.codes["visitor"][number])
            while answer.status_code != 302:
                assert "refresh" in answer.headers, words(answer)
                await asyncio.sleep(float(answer.headers["refresh"].split(";")[0]))
                answer = await visitor.look()
                asked += 1
            return asked

    asked_again, *_ = await asyncio.gather(
        asyncio.gather(*(true_visitor(number) for number in range(SEATS))),
        *(attack(number) for number in range(attackers)),
    )
    assert len(outcomes) == guesses
    assert 200 in outcomes, "the lanes were full: many guesses were not even looked up"
    assert 2 * max(asked_again) < 5
