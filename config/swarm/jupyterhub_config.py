"""labo: the hub's configuration on Swarm, written by `jupytercloud stack init`."""

import os
from pathlib import Path
from urllib.parse import quote

from jupytercloud_hub import configure


def secret(name):
    """Return a Swarm secret."""
    return Path("/run/secrets", name).read_text().strip()


for service in ("quotas", "culler", "hub_client"):
    name = "JUPYTERCLOUD_HUB_CLIENT_TOKEN" if service == "hub_client" else f"JUPYTERCLOUD_{service.upper()}_API_TOKEN"
    os.environ[name] = secret(f"{service}_token")
os.environ["CONFIGPROXY_AUTH_TOKEN"] = secret("proxy_token")
os.environ["JUPYTERHUB_CRYPT_KEY"] = secret("crypt_key")

c = get_config()  # noqa: F821 - JupyterHub gives it
configure(c, "/etc/jupytercloud/jupytercloud.yaml")

c.JupyterHub.db_url = f"postgresql://jupytercloud:{quote(secret('database_password'), safe='')}@db/jupyterhub"
c.JupyterHub.cookie_secret = bytes.fromhex(secret("cookie_secret"))
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.Spawner.hub_connect_url = "http://proxy:8000"  # servers may keep an address for ten minutes: the proxy outlives hubs
c.JupyterHub.cookie_host_prefix_enabled = True
c.ConfigurableHTTPProxy.should_start = False  # a service of its own: an update of the hub closes no notebook
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"
c.JupyterHub.services.append({"name": "prometheus", "api_token": secret("prometheus_token"), "display": False})
c.JupyterHub.load_roles.append(
    {"name": "prometheus", "scopes": ["read:metrics", "access:services"], "services": ["prometheus"]}
)
