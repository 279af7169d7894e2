"""Ends what a person has open at this hub: browsers, tokens and, where the operator says so, servers."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import Session


def end_sessions(db: Session, user: Any, *, keep_servers: bool) -> int:
    """Log a person out of every browser and delete her tokens; return how many tokens there were.

    JupyterHub knows one cookie value per person: changing it ends all her browsers at the hub. Her browsers'
    tokens for services and servers are deleted, so those follow when they ask the hub next (HubAuth's
    ``cache_max_age``). ``keep_servers`` spares the tokens with which her running servers speak to the hub.
    """
    kept = set()
    if keep_servers:
        for spawner in user.spawners.values():
            token = orm.APIToken.find(db, spawner.api_token) if spawner.active and spawner.api_token else None
            kept |= {token.id} if token is not None else set()
    orm_user = user.orm_user
    ended = 0
    for token in list(orm_user.api_tokens):
        if token.id not in kept:
            db.delete(token)
            ended += 1
    for code in db.query(orm.OAuthCode).filter_by(user_id=orm_user.id):
        db.delete(code)
    orm_user.cookie_id = orm.new_token()
    db.commit()
    return ended


async def stop_servers(app: Any, user: Any) -> None:
    """Stop a person's running servers and take their addresses away; one that fails does not hold the others."""

    async def stop(name: str) -> None:
        await app.proxy.delete_user(user, name)
        await user.stop(name)

    names = [name for name, spawner in user.spawners.items() if spawner.active and not spawner.pending]
    for result in await asyncio.gather(*(stop(name) for name in names), return_exceptions=True):
        if isinstance(result, Exception):
            app.log.error("A server could not be stopped: %s", type(result).__name__)
