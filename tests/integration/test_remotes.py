"""Remote storage in a person's own name: a server gets its own person's credentials, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from jupytercloud_hub.spawners.local import ProfileLocalSpawner
from tests.integration.test_login_renater import TRAITS
from tests.support import ROOT
from tests.support.hub import TestHub
from tests.support.login import Browser, hub_and_provider

PERSON = {"alice": "alice@univ-grenoble.example", "benoit": "benoit@univ-grenoble.example"}


class TokenService:
    """An S3 token service as MinIO and Ceph have it: takes the provider's ID tokens only, and looks at them."""

    def __init__(self) -> None:
        self.issuer = ""
        self.seen: list[dict[str, Any]] = []
        outer = self

        class Handler(RequestHandler):
            async def post(self) -> None:
                asked = {name: self.get_body_argument(name) for name in self.request.body_arguments}
                try:
                    claims = await asyncio.to_thread(outer.verified, asked["WebIdentityToken"])
                except jwt.PyJWTError:
                    self.set_status(400)
                    self.write("<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>")
                    return
                outer.seen.append(asked)
                self.write(
                    '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                    "<AssumeRoleWithWebIdentityResult><Credentials>"
                    f"<AccessKeyId>key-of-{claims['sub']}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
                    "<SessionToken>session</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>"
                    "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
                )

        sock, port = bind_unused_port()
        self.server = HTTPServer(Application([("/", Handler)]))
        self.server.add_socket(sock)
        self.url = f"http://127.0.0.1:{port}/"

    def verified(self, token: str) -> dict[str, Any]:
        keys = jwt.PyJWKClient(httpx.get(f"{self.issuer}/.well-known/openid-configuration").json()["jwks_uri"])
        key = keys.get_signing_key_from_jwt(token)
        return dict(jwt.decode(token, key.key, algorithms=["RS256"], audience="hub", issuer=self.issuer))


@pytest.fixture
async def storage() -> AsyncIterator[TokenService]:
    service = TokenService()
    yield service
    service.server.stop()


def spawner(storage: TokenService, folder: Path) -> type[ProfileLocalSpawner]:
    """A spawner with one profile that has remote storage, and one that has none."""
    command = {
        "command": [sys.executable, "-m", "tests.spawners.tiny_server"],
        "environment": {"PYTHONPATH": str(ROOT)},
    }

    class Spawner(ProfileLocalSpawner):
        profiles = [
            {
                "name": "remote",
                "title": "Remote",
                "remotes": [
                    {"name": "data", "kind": "s3", "url": storage.url, "trusts": "id"},
                    {"name": "cloud", "kind": "webdav", "url": "https://cloud.example/dav/{username}/"},
                ],
                **command,
            },
            {"name": "plain", "title": "Plain", **command},
        ]
        homes = str(folder / "homes")
        logs = str(folder / "logs")

    return Spawner


async def started(hub: TestHub, name: str, profile: str) -> dict[str, str]:
    """Start a person's server; return its environment, as the server itself sees it."""
    user = hub.users[PERSON[name]]
    await user.spawn("", options={"profile": profile, "options": {}})
    async with httpx.AsyncClient(trust_env=False) as http:
        return dict((await http.get(f"{user.spawners[''].server.url}api")).json()["environment"])


async def credentials(name: str, environment: dict[str, str], locale: str = "en_GB.UTF-8") -> tuple[int, str, str]:
    """Ask as rclone and the AWS tools do inside the server: exit code, what was printed, what was complained."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupytercloud_hub.spawners.inside.credentials", name),
        env={
            **os.environ,
            "LC_ALL": locale,
            **{key: value for key, value in environment.items() if key.startswith("JUPYTERHUB_")},
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    return await process.wait(), said.decode().strip(), complained.decode().strip()


async def test_each_server_gets_the_credentials_of_its_own_person_and_none_stands_in_an_environment(
    tmp_path: Path, storage: TokenService
) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS, spawner=spawner(storage, tmp_path)) as (
        hub,
        storage.issuer,
    ):
        environments = {}
        for name in PERSON:
            async with Browser(hub) as browser:
                await browser.log_in(name, "univ-grenoble.example", stop="/spawn")
            environments[name] = await started(hub, name, "remote")
            state = await hub.users[PERSON[name]].get_auth_state()
            told = json.dumps(environments[name])
            assert not [key for key in ("access_token", "id_token") if state[key] in told]
            assert f"https://cloud.example/dav/{PERSON[name]}/" in environments[name]["JUPYTERCLOUD_REMOTES"]

            code, said, complained = await credentials("data", environments[name])
            assert code == 0, complained
            assert json.loads(said) == {
                "Version": 1,
                "AccessKeyId": f"key-of-{state['id_claims']['sub']}",
                "SecretAccessKey": "secret",
                "SessionToken": "session",
                "Expiration": "2030-01-01T00:00:00Z",
            }
            assert await credentials("cloud", environments[name]) == (0, state["access_token"], "")
        assert storage.seen[0]["Action"] == "AssumeRoleWithWebIdentity"
        assert storage.seen[0]["DurationSeconds"] == "3600"
        assert storage.seen[0]["WebIdentityToken"] != storage.seen[1]["WebIdentityToken"]


async def test_nobody_else_gets_them_and_each_refusal_says_why(tmp_path: Path, storage: TokenService) -> None:
    async with hub_and_provider(tmp_path, traits=TRAITS, spawner=spawner(storage, tmp_path)) as (
        hub,
        storage.issuer,
    ):
        async with Browser(hub) as browser:
            await browser.log_in("alice", "univ-grenoble.example", stop="/spawn")
            by_cookie = await browser.get("api/jupytercloud/credentials/data")
        assert by_cookie.status_code == 403, "not her browser, where a page could ask"
        user = hub.users[PERSON["alice"]]
        environment = await started(hub, "alice", "remote")

        own = {**environment, "JUPYTERHUB_API_TOKEN": user.new_api_token()}
        assert await credentials("data", own) == (1, "", "data: Only a running server's own token gets credentials.")
        code, _, complained = await credentials("other", environment, "fr_FR.UTF-8")
        assert (code, complained) == (1, "other: Le profil de ce serveur n’a pas de stockage distant de ce nom.")

        user.spawners[""].api_token = ""  # as after a restart of the hub
        assert (await credentials("cloud", environment))[0] == 0

        state = await user.get_auth_state()
        await user.save_auth_state({**state, "expires_at": time.time() - 1, "refresh_token": None})
        code, _, complained = await credentials("cloud", environment)
        assert code == 1
        assert "log in to the hub again" in complained

        await user.save_auth_state({**state, "id_token": state["id_token"][:-8] + "AAAAAAAA"})
        code, _, complained = await credentials("data", environment)
        assert (code, complained) == (
            1,
            "data: The storage gave no keys; the hub's operator finds the reason in the log.",
        )

        await user.save_auth_state(state)
        await user.stop()
        assert (await credentials("cloud", environment))[0] == 1, "the token ends with the server"
        plain = await started(hub, "alice", "plain")
        assert "JUPYTERCLOUD_REMOTES" not in plain
        assert (await credentials("cloud", plain))[0] == 1
