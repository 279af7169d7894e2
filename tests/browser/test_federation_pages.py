"""The portal's pages in a browser: both languages, every state of a site, light, dark, telephone, axe-core."""

from datetime import timedelta

import pytest

from jupytercloud_hub.contracts.heartbeat import Heartbeat, Notice, RunningServer
from jupytercloud_hub.contracts.text import Localized, Text
from jupytercloud_hub.federation import registry
from jupytercloud_hub.federation.health import Health, Order
from jupytercloud_hub.federation.model import SiteState
from jupytercloud_hub.federation.registry import Transition
from tests.federation.conftest import Clock, portal_of
from tests.support.languages import read

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

STATES = {
    "grenoble": ("Grenoble", "up"),
    "paris-saclay": ("Paris-Saclay", "degraded"),
    "reims": ("Reims", "down"),
    "strasbourg": ("Strasbourg", "maintenance"),
    "montpellier": ("Montpellier", "draining"),
    "limoges": ("Limoges", "full"),
    "lille": ("Lille", "unknown"),
}
SETTINGS = """
site: {name: portail, role: portal, title: {fr: Portail JupyterCloud, en: JupyterCloud portal}, url: "http://127.0.0.1:1/portal/",
  contact: aide@portail.example, state: ./state}
federation:
  rules:
    - {name: everybody, allow: ["*"], prefer: [grenoble]}
  limits:
    - {name: one-gpu, title: {fr: Un serveur avec GPU, en: One server with a GPU}, most: 1, gpu: true}
  sites:
"""
FOUND = {
    "up": Text("It answered within {milliseconds} ms.", milliseconds="12"),
    "degraded": Text("It answered within {milliseconds} ms.", milliseconds="1240"),
    "down": Text("Nothing listens at its address."),
    "unknown": Health().reason,
}


@pytest.fixture
async def portal(tmp_path):
    file = tmp_path / "jupytercloud.yaml"
    lines = [
        f'    - {{name: {name}, title: {title}, url: "https://{name}.example/"}}' for name, (title, _) in STATES.items()
    ]
    file.write_text(SETTINGS + "\n".join(lines) + "\n")
    clock = Clock()
    async with portal_of(file, clock) as running:
        service = running.service
        for task in list(service._tasks):  # the states are those of this test
            task.cancel()
        await service.replicas.stop()
        now = clock()
        async with service.database.session() as session:
            await registry.orders(session, now)
            for name, (_, state) in STATES.items():
                for days, what in (
                    (60, "up"),
                    (31, "down"),
                    (30.4, "up"),
                    (9, "maintenance"),
                    (8.8, "up"),
                    (0.1, state),
                ):
                    await registry.note_transition(
                        session, Transition(name, now - timedelta(days=days), SiteState(what), "")
                    )
        for name, (_, state) in STATES.items():
            known = service.board.known[name]
            probed = state if state in FOUND else "up"
            known.health = Health(SiteState(probed), now - timedelta(hours=3), 9, 0, FOUND[probed], now, None, "6.1.1")
            if state == "full":
                service.board.heard(Heartbeat(site=name, sent=now, free={"*": 0}, profiles=("pycoa", "gpu")))
        message = Localized({"fr": "Mise à jour de la grappe.", "en": "The cluster is being upgraded."})
        notice = Notice(message=message, until=now + timedelta(hours=2))
        service.board.ordered(
            {
                "strasbourg": (Order(SiteState.MAINTENANCE, notice),),
                "montpellier": (Order(SiteState.DRAINING, Notice()),),
            }
        )
        marie = {"person": "marie@univ-grenoble-alpes.fr", "started": now - timedelta(hours=1)}
        titles = {"pycoa": Localized({"fr": "Premiers pas", "en": "First steps"}), "gpu": Localized("GPU")}
        for name, ago in (("paris-saclay", 4), ("lille", 600)):  # one site is silent: what it told is out of date
            other = RunningServer(**marie, profile="gpu", gpu=1)
            service.board.heard(
                Heartbeat(site=name, sent=now - timedelta(seconds=ago), servers=(other,), titles=titles)
            )
        service.board.heard(
            Heartbeat(
                site="grenoble",
                sent=now,
                running=12,
                free={"*": 28, "gpu": 1},
                profiles=("pycoa", "gpu"),
                gpu_profiles=("gpu",),
                titles=titles,
                servers=(RunningServer(**marie, profile="pycoa"),),
            )
        )
        service.board.refresh()
        yield running


PAGES = {
    "limited": ("marie", "go/~profile=gpu/hub/"),  # first: what sites told of their servers is believed for a while
    "welcome": ("simone", ""),
    "home": ("marie", ""),
    "status": ("", "status"),
    "links": (
        "marie",
        "links?make=1&kind=git&repository=https%3A%2F%2Fgitlab.example.fr%2Fcours%2Ftp1&branch=main&path=tp1.ipynb&profile=gpu",
    ),
    "operate": ("admin", "operate"),
    "choose": ("marie", "go/~profile=rare/hub/"),
    "site-down": ("marie", "go/~site=reims/hub/"),
    "site-maintenance": ("marie", "go/~site=strasbourg/hub/"),
    "site-draining": ("marie", "go/~site=montpellier/hub/"),
    "site-full": ("marie", "go/~site=limoges/hub/"),
    "site-unknown": ("marie", "go/~site=lille/hub/"),
    "no-such-site": ("marie", "go/~site=atlantis/hub/"),
    "bad-link": ("marie", "go/hub/%5Cx"),
    "nowhere": ("marie", "nowhere"),
    "accessibility": ("", "accessibility"),
    "privacy": ("", "privacy"),
    "guide": ("", "guide"),
}
NAMES = [
    *(title for title, _ in STATES.values()),
    "atlantis",
    "main",
    "marie@univ-grenoble-alpes.fr",
    "aide@portail.example",
]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_of_the_portal(portal, browser, look, language):
    await portal.get("go/hub/")  # marie is at home at Grenoble
    host = f"http://127.0.0.1:{portal.port}"
    for name, (person, path) in PAGES.items():
        context = await browser.new_context(locale=language)
        if person:
            await context.add_cookies([{"name": "service-federation", "value": person, "url": host}])
        page = await context.new_page()
        await page.goto(f"{host}/portal/services/federation/{path}")
        assert await page.locator("h1").count() == 1
        await read(page, language, NAMES)
        await look(page, f"federation-{name}-{language}")
        await context.close()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_home_site_that_is_away(portal, browser, look, language):
    await portal.get("go/hub/")
    known = portal.service.board.known["grenoble"]
    known.health = Health(
        SiteState.DOWN, portal.service.now(), 0, 3, FOUND["down"], portal.service.now(), None, "6.1.1"
    )
    portal.service.board.refresh()
    context = await browser.new_context(locale=language)
    await context.add_cookies(
        [{"name": "service-federation", "value": "marie", "url": f"http://127.0.0.1:{portal.port}"}]
    )
    page = await context.new_page()
    for name, path in (("away", "go/hub/"), ("home-away", "")):
        await page.goto(f"http://127.0.0.1:{portal.port}/portal/services/federation/{path}")
        await look(page, f"federation-{name}-{language}")
    await context.close()
