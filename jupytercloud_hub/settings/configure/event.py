"""What ``event:`` sets on a hub."""

from __future__ import annotations

from typing import Any

from ..model import Settings
from .names import EVENTS
from .registry import Services

SCOPES = (
    "admin:users",  # accounts of seats are listed, made, and deleted by the purge
    "servers",  # seats are started before visitors come, looked at, and stopped at the end
    "access:servers",  # what visitors made is read from their servers, where homes are volumes
)
"""The least that works; a test takes each away and sees what breaks."""
SPAWNERS = {
    "local": "jupytercloud_hub.events.seats.EventLocalSpawner",
    "swarm": "jupytercloud_hub.events.seats_swarm.EventSwarmSpawner",
    "kubernetes": "jupytercloud_hub.events.seats_kubernetes.EventKubernetesSpawner",
}
WORK = "work"
"""Folder in ``site.state`` for what visitors made, packed at the end."""
CLIENT = "jupytercloud-event"
"""``jupytercloud event``, as a client of the hub, run by the hub's own account on the hub's machine."""
TOKEN_FILE = "event_token"  # noqa: S105 - the file's name


def configure_event(config: Any, settings: Settings, services: Services) -> None:
    """Set EventAuthenticator's traits, mark the seats, add the service that keeps them ready."""
    event = settings.event
    if event is None:
        return
    hub = config.JupyterHub
    hub.authenticator_class = "jupytercloud_hub.events.authenticator.EventAuthenticator"
    hub.trusted_downstream_ips = list(event.trusted_proxies)
    authenticator = config.EventAuthenticator
    authenticator.event = event.model_dump(mode="json")
    authenticator.site_settings = settings.site.model_dump(mode="json")
    authenticator.privacy = settings.privacy.model_dump(mode="json")
    authenticator.database_url = settings.database_url("events")
    authenticator.code_key = event.code_key.read(settings.folder)
    authenticator.codes_file = str(settings.folder / event.codes)
    authenticator.work_folder = str(settings.state_folder / WORK)
    if event.login is not None:
        # Each time anew: the telephone or the stand's tablet may have been somebody else's a minute ago.
        config.RenaterAuthenticator.extra_authorize_params = {"prompt": "login"}
    if settings.spawner is not None:
        hub.spawner_class = SPAWNERS[settings.spawner.backend]
        config.SeatMixin.seat_event = settings.site.name
    services.add(EVENTS, SCOPES)
    # Imported here: services load the settings without any part of the hub.
    from ...web.context import kept_secret

    access = f"access:services!service={EVENTS}"
    services.add_client(CLIENT, [*SCOPES, access], token=kept_secret(settings.state_folder, TOKEN_FILE).hex())
