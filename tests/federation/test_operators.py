"""Registering, joining, changing keys, draining, maintenance, moving homes: by command and by API, with a trail."""

import asyncio
import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from jupytercloud_hub.cli.main import main
from jupytercloud_hub.federation import signing
from jupytercloud_hub.federation.agent import read_notices, site_key
from jupytercloud_hub.settings import load
from tests.federation.conftest import FakeSite, portal_of, write_portal
from tests.federation.test_heartbeats import body_of, send
from tests.support.ports import free_port

SITE = """
site: {{name: strasbourg, url: "{url}", state: ./state-strasbourg}}
spawner: {{backend: local}}
federation: {{portal: {{url: "{portal}"}}}}
"""


class Stand:
    def __init__(self, portal, file, site_file, site):
        self.portal, self.file, self.site_file, self.site = portal, file, site_file, site

    async def run(self, *arguments: str, at: str = "portal", code: int = 0) -> str:
        """Run a command at the portal or at the site; return what it printed."""
        config = str(self.file if at == "portal" else self.site_file)
        result = await asyncio.to_thread(
            CliRunner().invoke, main, [*arguments, "--config", config], env={"LANG": "en_GB.UTF-8", "USER": "ops"}
        )
        assert result.exit_code == code, (arguments, result.output, result.exception)
        return result.output

    async def beat(self, key=None) -> int:
        key = key or site_key(load(self.site_file))
        body = body_of("strasbourg")
        token = signing.sign(
            key, site="strasbourg", audience=self.portal.service.audience, body=body, now=self.portal.service.now()
        )
        return (await send(self.portal, body, token)).status_code


@pytest.fixture
async def stand(tmp_path, sites, clock):
    port = free_port()
    url = f"http://127.0.0.1:{port}/portal/"
    strasbourg = FakeSite()
    await strasbourg.start()
    site_file = tmp_path / "site.yaml"
    site_file.write_text(SITE.format(url=strasbourg.url, portal=url))
    file = write_portal(tmp_path, sites, url)
    async with portal_of(file, clock, port) as portal:
        await portal.until(grenoble="up", reims="up", paris_saclay="up")
        yield Stand(portal, file, site_file, strasbourg)
    await strasbourg.kill()


async def joined(stand) -> None:
    printed = await stand.run("sites", "add", "strasbourg", "--url", stand.site.url, "--reason", "new member")
    token = printed.split()[-1]
    await stand.portal.service.sync()
    assert "strasbourg has joined" in await stand.run("sites", "join", token, at="site")


async def test_a_site_is_registered_joins_once_and_its_heartbeats_are_believed(stand):
    await joined(stand)
    await stand.portal.until(strasbourg="up")
    assert await stand.beat() == 200
    went = await stand.portal.get("go/~site=strasbourg/hub/", person="simone")
    assert went.headers["Location"] == stand.site.url + "hub/"
    listed = json.loads(await stand.run("sites", "list", "--json"))
    assert "strasbourg" in {site["name"] for site in listed["sites"]}


async def test_a_join_token_works_once_and_not_for_ever(stand, clock):
    token = (await stand.run("sites", "add", "strasbourg", "--url", stand.site.url)).split()[-1]
    await stand.portal.service.sync()
    await stand.run("sites", "join", token, at="site")
    assert "401" in await stand.run("sites", "join", token, at="site", code=1)
    late = (await stand.run("sites", "add", "reims")).split()[-1]
    clock.ahead = timedelta(days=3)
    answer = await stand.portal.client.post(
        "api/v1/join", json={"token": late, "key": signing.public_text(signing.private_key(signing.new_key_pem()))}
    )
    assert answer.status_code == 401


async def test_a_key_is_changed_and_the_old_one_is_good_for_an_hour_only(stand, clock):
    await joined(stand)
    old = site_key(load(stand.site_file))
    await stand.run("sites", "rotate-key", at="site")
    new = site_key(load(stand.site_file))
    assert signing.public_text(new) != signing.public_text(old)
    assert await stand.beat(new) == 200
    assert await stand.beat(old) == 200
    clock.ahead = timedelta(hours=1, minutes=1)
    await stand.portal.service.sync()
    assert await stand.beat(old) == 401
    assert await stand.beat(new) == 200


async def test_a_stolen_key_is_worth_nothing_at_once(stand):
    await joined(stand)
    short = signing.key_id(signing.public_text(site_key(load(stand.site_file))))
    await stand.run("sites", "remove-key", "strasbourg", short, "--reason", "stolen")
    await stand.portal.service.sync()
    assert await stand.beat() == 401
    await stand.run("sites", "remove-key", "strasbourg", short, code=1)


async def test_a_site_that_leaves_is_gone_and_its_people_are_told(stand):
    await joined(stand)
    await stand.portal.until(strasbourg="up")
    put = await stand.portal.client.put(
        "api/v1/home-sites/simone", json={"site": "strasbourg", "reason": "x"}, headers={"Authorization": "token admin"}
    )
    assert put.status_code == 503  # the hub that knows simone is away, and she has no home site yet
    await stand.portal.get("go/hub/", person="simone")
    await stand.run("home-sites", "move", "simone", "strasbourg", "--reason", "moved")
    await stand.run("sites", "remove", "strasbourg", "--reason", "left")
    await stand.portal.service.sync()
    answer = await stand.portal.get("go/hub/", person="simone", **{"accept-language": "en"})
    assert answer.status_code == 503
    assert "has left the federation" in answer.text
    assert "sites add" not in await stand.run("sites", "remove", "strasbourg", code=1)


async def test_who_did_what_when_and_why_is_kept(stand):
    await joined(stand)
    await stand.run("sites", "drain", "reims", "--for", "2 h", "--reason", "cooling")
    await stand.run("sites", "resume", "reims", "--reason", "cooling works")
    entries = json.loads(await stand.run("sites", "audit", "--json"))
    told = [(entry["what"], entry["target"], entry["why"]) for entry in reversed(entries)]
    assert told[0] == ("site put", "strasbourg", "new member")
    assert [what for what, _, _ in told] == ["site put", "join token", "key join", "drain begin", "drain end"]
    assert told[-1] == ("drain end", "reims", "cooling works")
    assert {entry["who"] for entry in entries} >= {"site:strasbourg"}
    by_api = await stand.portal.client.get("api/v1/audit", headers={"Authorization": "token admin"})
    assert len(by_api.json()["items"]) == len(entries)


async def test_drain_at_the_portal_tells_people_until_when_and_ends_by_itself(stand, clock):
    await stand.portal.get("go/hub/")
    await stand.run(
        "sites", "drain", "grenoble", "--for", "2 h", "--message", "Panne de clim", "--message-en", "Cooling broke"
    )
    await stand.portal.until(grenoble="draining")
    answer = await stand.portal.get("go/hub/", **{"accept-language": "en"})
    assert answer.status_code == 503
    assert "Cooling broke" in answer.text
    assert answer.headers["Retry-After"] == "3600"
    assert (await stand.portal.get("api/v1/explain")).json()["home"] == "grenoble"
    clock.ahead = timedelta(hours=2, seconds=1)
    await stand.portal.until(grenoble="up")


async def test_a_site_drains_itself_by_a_file_that_its_agent_reads(stand):
    await stand.run("sites", "maintenance", "--until", "2027-01-04T18:00", "--message", "Mise à jour", at="site")
    notices = read_notices(load(stand.site_file).state_folder)
    assert notices.maintenance.until.isoformat() == "2027-01-04T18:00:00+01:00"
    await stand.run("sites", "drain", "grenoble", at="site", code=2)
    await stand.run("sites", "resume", at="site")
    assert read_notices(load(stand.site_file).state_folder).maintenance is None


@pytest.mark.parametrize(
    ("arguments", "at"),
    [
        (("sites", "add", "strasbourg"), "portal"),
        (("sites", "add", "grenoble", "--url", "https://x.example/"), "portal"),
        (("sites", "add", "No Good", "--url", "https://x.example/"), "portal"),
        (("sites", "add", "strasbourg", "--url", "ftp://x.example/"), "portal"),
        (("sites", "drain"), "portal"),
        (("sites", "drain", "reims", "--for", "2"), "portal"),
        (("sites", "drain", "reims", "--for", "2 h", "--until", "2027-01-04T18:00"), "portal"),
        (("sites", "drain", "reims", "--until", "tomorrow"), "portal"),
        (("sites", "remove", "reims"), "portal"),
        (("sites", "key"), "portal"),
        (("sites", "audit"), "site"),
        (("home-sites", "list"), "site"),
    ],
)
async def test_wrong_use_ends_with_2_and_says_why(stand, arguments, at):
    printed = await stand.run(*arguments, at=at, code=2)
    assert "Traceback" not in printed
    assert printed.strip()


async def test_an_operator_of_the_site_drains_it_by_the_api_and_nobody_else(stand, sites):
    known = stand.portal.service.board.known["reims"]
    known.site = known.site.model_copy(update={"operators": ("group:reims-ops",)})
    people = stand.portal.hub.people
    people["op"] = {**people["marie"], "name": "op", "groups": ["reims-ops"]}
    body = {"message": {"fr": "Travaux", "en": "Works"}, "lasts": "2 h", "reason": "floor"}
    try:
        refused = await stand.portal.client.put(
            "api/v1/sites/reims/drain", json=body, headers={"Authorization": "token marie"}
        )
        assert refused.status_code == 403
        done = await stand.portal.client.put(
            "api/v1/sites/reims/drain", json=body, headers={"Authorization": "token op"}
        )
        assert (done.status_code, done.json()["state"]) == (200, "draining")
        other = await stand.portal.client.put(
            "api/v1/sites/grenoble/drain", json=body, headers={"Authorization": "token op"}
        )
        assert other.status_code == 403
        assert (
            await stand.portal.client.delete("api/v1/sites/reims/drain", headers={"Authorization": "token op"})
        ).status_code == 204
        await stand.portal.until(reims="up")
    finally:
        del people["op"]


async def test_sites_are_registered_and_removed_by_the_api(stand):
    admin = {"Authorization": "token admin"}
    client = stand.portal.client
    put = await client.put(
        "api/v1/sites/strasbourg", json={"url": stand.site.url, "title": "Strasbourg"}, headers=admin
    )
    assert put.status_code == 201
    await stand.portal.until(strasbourg="up")
    again = await client.put("api/v1/sites/strasbourg", json={"url": stand.site.url, "weight": 5}, headers=admin)
    assert again.status_code == 200
    assert stand.portal.service.board.views["strasbourg"].weight == 5
    assert (await client.put("api/v1/sites/reims", json={"url": stand.site.url}, headers=admin)).status_code == 409
    assert (await client.put("api/v1/sites/No%20Good", json={"url": stand.site.url}, headers=admin)).status_code in (
        400,
        404,
    )
    assert (await client.put("api/v1/sites/x", json={"url": "nowhere"}, headers=admin)).status_code == 400
    assert (await client.delete("api/v1/sites/strasbourg", headers=admin)).status_code == 204
    assert (await client.get("api/v1/sites/strasbourg", headers=admin)).status_code == 404
    assert (await client.get("api/v1/sites", headers={"Authorization": "token marie"})).status_code == 403


async def test_home_sites_are_imported_and_those_that_are_there_are_left_alone(stand, tmp_path, sites):
    await stand.portal.get("go/hub/")
    file = tmp_path / "people.csv"
    file.write_text(
        "person,user,site\nmarie@univ-grenoble-alpes.fr,,reims\nsimone@www.universite-paris-saclay.fr,,reims\n,x,reims\n"
    )
    assert "2 new, 1" in await stand.run("home-sites", "import", str(file), "--dry-run")
    assert "2 new, 1" in await stand.run("home-sites", "import", str(file))
    assert "0 new, 1" in await stand.run("home-sites", "import", str(file))
    assert (await stand.portal.get("go/hub/")).headers["Location"].startswith(sites["grenoble"].url)
    assert (await stand.portal.get("go/hub/", person="simone")).headers["Location"].startswith(sites["reims"].url)
    file.write_text("person,site\na@x,atlantis\n")
    await stand.run("home-sites", "import", str(file), code=1)
    file.write_text("who,where\na,b\n")
    await stand.run("home-sites", "import", str(file), code=1)
    assert "reims" in await stand.run("home-sites", "list", "--site", "reims")


async def test_a_home_site_is_moved_with_a_reason_that_the_person_sees(stand, sites):
    await stand.portal.get("go/hub/")
    await stand.run("home-sites", "move", "marie", "reims", "--reason", "files were copied")
    assert (await stand.portal.get("go/hub/")).headers["Location"].startswith(sites["reims"].url)
    assert "files were copied" in (await stand.portal.get("")).text
    await stand.run("home-sites", "move", "marie", "atlantis", "--reason", "x", code=1)
    await stand.run("home-sites", "move", "nobody", "reims", "--reason", "x", code=1)
