"""A site for the partition test: a hub as probes see it, and the real agent (SETTINGS HOST PORT CERTIFICATE)."""

import asyncio
import json
import logging
import ssl
import sys
from pathlib import Path

import httpx

from jupytercloud_hub.federation.agent import AgentService
from jupytercloud_hub.settings import load
from jupytercloud_hub.web.context import ServiceContext

HEADERS = "X-JupyterHub-Version: 6.1.1\r\nContent-Type: application/json\r\nConnection: close\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        request = await reader.readuntil(b"\r\n\r\n")
        users = b"/users" in request.partition(b"\r\n")[0]
        body = json.dumps({"items": [], "_pagination": {"next": None}} if users else {"version": "6.1.1"})
        writer.write(f"HTTP/1.1 200 OK\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(file: Path, host: str, port: int, certificate: Path) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    await asyncio.start_server(answer, host, port, ssl=served)
    own = await asyncio.start_server(answer, "127.0.0.1", 0)
    api = f"http://127.0.0.1:{own.sockets[0].getsockname()[1]}/site/hub/api"
    context = ServiceContext("agent", "/site/services/agent/", ("127.0.0.1", 0), api, "t", "/site/", b"k" * 32)
    believed = ssl.create_default_context(cafile=str(certificate))
    agent = AgentService(load(file), context, transport=httpx.AsyncHTTPTransport(verify=believed))
    await agent.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
