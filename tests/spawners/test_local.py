import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.hub import TestHub, Visitor, start_hub, stop_hub, text_of

from .conftest import PEOPLE


async def settled(app: TestHub, user: str, name: str = "") -> Any:
    """Wait until nothing is pending and return the spawner."""
    spawner = app.users[user].spawners[name]
    async with asyncio.timeout(90):
        while spawner.pending:
            await asyncio.sleep(0.05)
    return spawner


async def seen_by(spawner: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{spawner.server.url}api")
        return answer.json()


async def start(visitor: Visitor, profile: str, **options: str) -> httpx.Response:
    await visitor.get("spawn")
    data = {"profile": profile, **{f"option-{name}": value for name, value in options.items()}}
    return await visitor.post_form("spawn", data)


async def rest(app: TestHub, user: str, options: Any, name: str = "") -> httpx.Response:
    token = app.users[user].new_api_token()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.post(
            f"{app.hub.url}api/users/{user}/server{'s/' + name if name else ''}",
            headers={"Authorization": f"token {token}"},
            json=options,
        )


async def test_form_is_shown_in_the_language_that_the_browser_asks_for(hub: Any) -> None:
    app = await hub()
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("amelie")
        page = text_of((await visitor.get("spawn")).text)
    assert "Choisir un profil" in page
    assert "4 GiB de mémoire" in page
    assert "Ce profil demande un GPU, et ce site n’en a pas." in page
    assert "Limites : non imposées." in page
    async with Visitor(app, "en-GB,en;q=0.9") as visitor:
        await visitor.log_in("amelie")
        page = text_of((await visitor.get("spawn")).text)
    assert "This profile needs a GPU, and this site has none." in page


async def test_profile_of_another_group_is_greyed_with_the_reason(hub: Any) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
        page = await visitor.get("spawn")
    assert "Reserved for the group physique." in text_of(page.text)
    assert 'value="physics" aria-describedby="jc-about-physics" required disabled' in page.text


async def test_server_starts_with_what_was_chosen_and_its_record_stands_in_the_state(hub: Any, tmp_path: Path) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        answer = await start(visitor, "physics", size="big", tag="abc")
        assert answer.status_code == 302, text_of(answer.text)
    spawner = await settled(app, "amelie")
    assert spawner.ready
    seen = await seen_by(spawner)
    assert seen["environment"]["SIZE"] == "big"
    assert seen["environment"]["TAG"] == "abc"
    assert Path(seen["folder"]) == tmp_path / "homes" / "amelie"
    assert (tmp_path / "homes" / "amelie").stat().st_mode & 0o777 == 0o700
    state = spawner.orm_spawner.state
    assert state["jupytercloud"] == {
        "profile": "physics",
        "options": {"size": "big", "tag": "abc"},
        "resources": {"cpu": 1.0, "memory": 1024**3, "gpu": 0, "gpu_type": None},
    }
    assert spawner.orm_spawner.user_options == {"profile": "physics", "options": {"size": "big", "tag": "abc"}}


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"profile": "gpu", "options": {}}, 409, "a GPU, and this site has none"),
        ({"profile": "physics"}, 403, "Reserved for the group physique"),
        ({"profile": "nothing"}, 400, "does not exist here"),
        ({"profile": "lab", "options": {"size": "big"}}, 400, "no option “size”"),
        ({"profile": "lab", "image": "evil"}, 400, "There is no option “image” here"),
        ({"image": "evil"}, 400, "There is no option “image” here"),
        ({"profile": ["lab"]}, 400, "A choice is written"),
        ({"profile": "lab", "options": ["x"]}, 400, "A choice is written"),
    ],
)
async def test_rest_api_gets_nothing_that_the_catalogue_does_not_give(
    hub: Any, options: Any, status: int, said: str
) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    answer = await rest(app, "bob", options)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["message"]
    assert not app.users["bob"].spawners[""].active


async def test_empty_request_starts_the_default_profile(hub: Any) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    answer = await rest(app, "bob", None)
    assert answer.status_code in (201, 202), answer.text
    spawner = await settled(app, "bob")
    assert spawner.orm_spawner.state["jupytercloud"]["profile"] == "lab"


async def test_link_fills_in_the_form_and_starts_nothing(hub: Any) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        page = await visitor.get("spawn?opt-profile=physics&opt-option-size=big&opt-tag=xyz&next=%2Fx")
    assert page.status_code == 200
    assert "spawn-error-msg" not in page.text
    assert 'value="physics" aria-describedby="jc-about-physics" required checked' in page.text
    assert '<option value="big" selected>' in page.text
    assert 'value="xyz"' in page.text
    assert not app.users["amelie"].spawners[""].active


async def test_saved_choice_that_is_not_hers_any_more_is_refused_and_not_chosen_beforehand(
    hub: Any,
) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
        spawner = app.users["bob"].get_or_create_spawner("", "")
        spawner.orm_spawner.user_options = {"profile": "physics", "options": {"size": "big"}}
        app.db.commit()
        answer = await rest(app, "bob", None)
        assert answer.status_code == 403, answer.text
        page = await visitor.get("spawn")
    assert 'value="lab" aria-describedby="jc-about-lab" required checked' in page.text


async def test_failed_start_shows_the_last_words_of_the_server(hub: Any, config: Any) -> None:
    config.ProfileLocalSpawner.environment["FAIL"] = "libcuda <b>"
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "lab")
        await settled(app, "amelie")
        page = await visitor.get("spawn-pending/amelie", headers={"Accept-Language": "fr"})
    assert page.status_code == 500
    assert "s’est terminé pendant son démarrage (code 3)" in text_of(page.text)
    assert "libcuda &lt;b&gt;" in page.text
    assert not app.users["amelie"].spawners[""].active


def free_at(app: TestHub, user: str) -> dict[str, int]:
    """How many places the form of somebody's next start tells."""
    return dict(app.users[user].spawners[""].free_places().profiles)


async def test_running_server_takes_a_place_also_after_the_hub_came_back_and_gives_it_back(
    hub: Any, config: Any, tmp_path: Path
) -> None:
    config.ProfileMixin.places = {"*": 3, "lab": 2}
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
        assert free_at(app, "bob") == {"*": 3, "lab": 2}
        await start(visitor, "lab")
        pid = (await settled(app, "bob")).pid
    assert free_at(app, "bob") == {"*": 2, "lab": 1}
    await stop_hub(app, servers=False)
    app = await start_hub(config, PEOPLE, tmp_path)
    try:
        threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
        assert free_at(app, "bob") == {"*": 2, "lab": 1}
        await app.users["bob"].stop()
        assert free_at(app, "bob") == {"*": 3, "lab": 2}
    finally:
        await stop_hub(app)


async def test_servers_go_on_without_the_hub_and_are_taken_over(hub: Any, config: Any, tmp_path: Path) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("zoe.l-été@univ.fr")
        await start(visitor, "lab")
    spawner = await settled(app, "zoe.l-été@univ.fr")
    pid, state = spawner.pid, dict(spawner.orm_spawner.state)
    await stop_hub(app, servers=False)
    os.kill(pid, 0)
    app = await start_hub(config, PEOPLE, tmp_path)
    try:
        again = app.users["zoe.l-été@univ.fr"].spawners[""]
        assert again.pid == pid
        assert again.ready
        assert again.get_state() == state
        # the server is this test's child: somebody has to take note of its end
        threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    finally:
        await stop_hub(app)
    assert not Path(f"/proc/{pid}").exists()


async def test_progress_is_told_in_the_language_of_the_person(hub: Any) -> None:
    app = await hub()
    async with Visitor(app, "fr") as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "lab")
        page = await visitor.get(f"api/users/amelie/server/progress?_xsrf={visitor.xsrf}")
    events = [json.loads(line.removeprefix("data:")) for line in page.text.splitlines() if line.startswith("data:")]
    assert events[-1]["ready"] is True
    said = [event["message"] for event in events]
    assert said[-1] == "Votre serveur est prêt."


async def test_replaced_hook_that_judges_nothing_starts_nothing(hub: Any, config: Any) -> None:
    config.Spawner.apply_user_options = lambda spawner, options: None
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    answer = await rest(app, "bob", {"profile": "physics"})
    assert answer.status_code == 403
    assert not app.users["bob"].spawners[""].active


async def test_number_that_is_another_process_by_now_is_not_taken_over(hub: Any) -> None:
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("bob")
    spawner = app.users["bob"].get_or_create_spawner("", "")
    spawner.load_state({"pid": os.getpid(), "pid_born": "another boot:1"})
    assert await spawner.poll() == 0


async def test_real_notebook_server_gets_the_profiles_files_once(hub: Any, config: Any, tmp_path: Path) -> None:
    (tmp_path / "first.ipynb").write_text("the first")
    del config.ProfileLocalSpawner["cmd"], config.ProfileLocalSpawner["environment"]
    config.ProfileLocalSpawner.files_root = str(tmp_path)
    config.ProfileMixin.profiles = [
        {
            "name": "course",
            "title": "Course",
            "default_url": "/lab/tree/work/first.ipynb",
            "files": [{"source": "first.ipynb", "target": "work/first.ipynb"}],
        }
    ]
    app = await hub()
    async with Visitor(app) as visitor:
        await visitor.log_in("amelie")
        await start(visitor, "course")
        spawner = await settled(app, "amelie")
        assert spawner.ready, (tmp_path / "logs" / "amelie.log").read_text()
        copied = tmp_path / "homes" / "amelie" / "work" / "first.ipynb"
        assert copied.read_text() == "the first"
        copied.write_text("her own work")
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(spawner.server.url, cookies={})
        assert "/lab/tree/work/first.ipynb" in answer.headers["Location"]
        await app.users["amelie"].stop()
        await start(visitor, "course")
        await settled(app, "amelie")
    assert copied.read_text() == "her own work"
