"""Debian's LemonLDAP::NG as an OpenID provider, started in a folder of its own (its demo accounts: dwho, rtyler…)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.login import CLIENT_ID, CLIENT_SECRET, Browser
from tests.support.ports import free_port

CONFIGURATION = Path("conf/lmConf-1.json")
ORGANIZATION = "univ-gallifrey.example"


APP = """
use strict;
use warnings;
use Lemonldap::NG::Portal::Main;
Lemonldap::NG::Portal::Main->run({
    configStorage => { type => 'File', dirName => '%(folder)s/conf' },
    localStorage => 'Cache::FileCache',
    localStorageOptions => { namespace => 'config', cache_root => '%(folder)s/cache', cache_depth => 0 },
    logLevel => 'warn',
    templateDir => '/usr/share/lemonldap-ng/portal/templates',
    staticPrefix => '/static',
    languages => 'fr, en',
    checkXSS => 0,
});
"""


def _configuration(folder: Path, portal: str, hub_url: str) -> dict[str, Any]:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    files = {"generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"}
    sessions = {"Directory": f"{folder}/sessions", "LockDirectory": f"{folder}/sessions/lock", **files}
    persistent = {"Directory": f"{folder}/psessions", "LockDirectory": f"{folder}/psessions/lock"}
    return {
        "cfgNum": 1,
        "cfgAuthor": "test",
        "cfgDate": 1,
        "cfgVersion": "2.16.1",
        "portal": f"{portal}/",
        "domain": "127.0.0.1",
        "cookieName": "lemonldap",
        "securedCookie": 0,
        "requireToken": 0,
        "authentication": "Demo",
        "userDB": "Same",
        "passwordDB": "Demo",
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": sessions,
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": persistent,
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {"namespace": "s", "cache_root": f"{folder}/cache", "cache_depth": 0},
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"},
        "exportedVars": {},
        "macros": {
            "_whatToTrace": "$uid",
            "eppn": f'"$uid\\@{ORGANIZATION}"',
            "home": f'"{ORGANIZATION}"',
            "affiliation": f'($uid eq "msmith" ? "alum" : "member; staff") . "\\@{ORGANIZATION}"',
        },
        "whatToTrace": "_whatToTrace",
        "locationRules": {"127.0.0.1": {"default": "accept"}},
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceMetaDataIssuer": portal,
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcServiceIgnoreScopeForClaims": 1,
        "oidcServicePrivateKeySig": private.decode(),
        "oidcServicePublicKeySig": public.decode(),
        "oidcServiceKeyIdSig": "test-key",
        "oidcRPMetaDataExportedVars": {
            "hub": {
                "name": "cn",
                "email": "mail",
                "eduperson_principal_name": "eppn",
                "schac_home_organization": "home",
                "eduperson_scoped_affiliation": "affiliation",
            }
        },
        "oidcRPMetaDataOptions": {
            "hub": {
                "oidcRPMetaDataOptionsClientID": CLIENT_ID,
                "oidcRPMetaDataOptionsClientSecret": CLIENT_SECRET,
                "oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
                "oidcRPMetaDataOptionsBypassConsent": 1,
                "oidcRPMetaDataOptionsRequirePKCE": 1,
                "oidcRPMetaDataOptionsRefreshToken": 1,
                "oidcRPMetaDataOptionsRedirectUris": f"{hub_url}oauth_callback",
                "oidcRPMetaDataOptionsPostLogoutRedirectUris": f"{hub_url}oidc/logged-out",
                "oidcRPMetaDataOptionsLogoutBypassConfirm": 1,
            }
        },
    }


@contextlib.asynccontextmanager
async def lemonldap(folder: Path, hub_url: str) -> AsyncIterator[str]:
    """Run the portal; yields its issuer."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    configure(folder, issuer, hub_url)
    async with running(folder, port):
        yield issuer


def configure(folder: Path, issuer: str, hub_url: str) -> None:
    """Write a portal's folder; its issuer is another address than its own where a proxy stands before it."""
    for name in ("conf", "sessions/lock", "psessions/lock", "cache"):
        (folder / name).mkdir(parents=True)
    (folder / CONFIGURATION).write_text(json.dumps(_configuration(folder, issuer, hub_url)))
    (folder / "app.psgi").write_text(APP % {"folder": folder})


def new_client_secret(folder: Path, secret: str) -> None:
    """Give the hub another secret, as in the provider's console; the portal reads it when it starts again."""
    configuration = json.loads((folder / CONFIGURATION).read_text())
    configuration["oidcRPMetaDataOptions"]["hub"]["oidcRPMetaDataOptionsClientSecret"] = secret
    (folder / CONFIGURATION).write_text(json.dumps(configuration))
    shutil.rmtree(folder / "cache")


@contextlib.asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[None]:
    """Run the portal of a folder that is configured."""
    own = f"http://127.0.0.1:{port}"
    with (folder / "lemonldap.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "plackup", "-E", "deployment", "-s", "HTTP::Server::PSGI", "--host", "127.0.0.1", "--port", str(port),
            str(folder / "app.psgi"),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"{own}/.well-known/openid-configuration")).status_code == 200:
                            break
                    if process.returncode is not None:
                        raise AssertionError((folder / "lemonldap.log").read_text())
                    await asyncio.sleep(0.2)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


async def log_in(browser: Browser, page: httpx.Response, account: str, *, stop: str | None = None) -> httpx.Response:
    """Send LemonLDAP's login form; its demo accounts have their name as password."""
    form = {
        name: unescape(value)
        for name, value in re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
    }
    form |= {"user": account, "password": account}
    action = re.search(r'<form[^>]*id="lform"[^>]*action="([^"]*)"', page.text)
    target = urljoin(str(page.url), unescape(action[1]) if action and action[1] not in ("", "#") else str(page.url))
    return await browser._follow(await browser.http.post(target, data=form), stop)
