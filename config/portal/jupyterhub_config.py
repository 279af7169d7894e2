"""The portal's hub: it lets people in, and the federation service sends them to their site.

The service (jupytercloud-federation.service) runs in replicas behind haproxy.cfg; federation.env is the environment of
all of them, the hub's too.
"""

from pathlib import Path

from jupytercloud_hub import configure

c = get_config()  # noqa: F821 - JupyterHub gives it
configure(c, Path(__file__).with_name("jupytercloud.yaml"))

c.JupyterHub.bind_url = "http://0.0.0.0:8000/"  # HAProxy's, on the portal's inner network
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081/"  # the replicas' too
c.JupyterHub.hub_connect_url = "http://hub.internal:8081/"
