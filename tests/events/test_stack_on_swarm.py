"""An event's folder on a real Swarm, by its own scripts: deployed, visited through Traefik, purged, and taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.engines_swarm import Swarm
from tests.support.event_stack import SEATS, EventStack, event_on_swarm
from tests.support.story import steps_before
from tests.support.swarm_stack import until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def stack(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStack]:
    with event_on_swarm(swarm, tmp_path_factory.mktemp("event-stack")) as made:
        yield made


@pytest.fixture(autouse=True)
def story(request: pytest.FixtureRequest) -> None:
    steps_before(request)


def status(stack: EventStack) -> dict[str, object]:
    found: dict[str, object] = json.loads(stack.run("./event.sh status --json"))
    return found


def test_a_ticket_opens_a_warm_seat_through_traefik(stack: EventStack) -> None:
    stack.all_run()
    until(lambda: status(stack)["ready"] == 1, 300, lambda: f"{status(stack)}\n{stack.logs('services')}")
    with stack.client(follow_redirects=True) as visitor:
        page = stack.come_in(visitor, stack.codes()[0])
        assert page.status_code == 200, page.text
        assert "/user/seat-0001/" in str(page.url), "a warm seat: no page that waits"
        answered = visitor.get("user/seat-0001/api/status")
        assert answered.status_code == 200, answered.text
    (service,) = [name for name in stack.peoples_services() if "seat-0001" in name]
    stack.swarm.exec(service, "sh", "-c", "echo mine > /home/jovyan/carnet.txt")
    until(lambda: status(stack)["ready"] == 1, 300, lambda: f"{status(stack)}\n{stack.logs('services')}")
    assert status(stack)["held"] == 1


ASK = """
import os, urllib.request
url = os.environ["JUPYTERCLOUD_CULLER_URL"] + "api/v1/servers/" + os.environ["JUPYTERHUB_USER"] + "/~"
asked = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["JUPYTERHUB_API_TOKEN"]})
print(urllib.request.urlopen(asked, timeout=20).read().decode())
"""


def test_a_message_to_all_is_there_for_a_seats_own_token(stack: EventStack) -> None:
    with stack.client(follow_redirects=True) as organizer:
        stack.come_in(organizer, stack.codes("organizer")[0])
        page = organizer.get("services/events/orders").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf, page
        organizer.post("services/events/message", data={"_xsrf": xsrf[1], "text": "Goûter à 16 h"})
    (service,) = [name for name in stack.peoples_services() if "seat-0001" in name]

    def told() -> bool:
        seen = json.loads(stack.swarm.exec(service, "python3", "-c", ASK))
        return str(seen["message"]).endswith("Goûter à 16 h")

    until(told, 60, lambda: stack.logs("services"))


def test_the_hub_is_not_taken_away_before_it_is_purged(stack: EventStack) -> None:
    with pytest.raises(RuntimeError, match="purge first"):
        stack.run("./remove.sh")
    stack.all_run()


def test_work_is_given_out_after_the_end(stack: EventStack) -> None:
    stack.run("./event.sh close --now")
    until(lambda: not stack.peoples_services(), 240, lambda: f"{status(stack)}\n{stack.logs('services')}")
    with stack.client(follow_redirects=True) as visitor:
        assert "event/work" in stack.come_in(visitor, stack.codes()[0]).text
        work = visitor.get("hub/event/work")
        assert (work.status_code, b"carnet.txt" in work.content) == (200, True)


def test_after_purge_and_removal_no_machine_has_anything_of_it(stack: EventStack) -> None:
    assert [name for name in stack.things() if name.startswith("jupytercloud-salon-seat")], "homes that are volumes"
    said = json.loads(stack.run("./event.sh purge --yes --json"))
    assert said["found_afterwards"] == {}
    assert said["removed"]["volumes"] == SEATS
    assert said["removed"]["codes"] == SEATS + 4
    stack.run("./remove.sh")
    assert stack.things() == []
    assert json.loads((stack.folder / "attestation.json").read_text()) == said
    left = {path.name for path in stack.folder.iterdir()}
    assert not left & {"secrets", "code.key", "codes.csv", "codes.pdf", "codes.hashed"}
