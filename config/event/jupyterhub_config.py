"""The hub of an event: visitors come in with a code, each to a seat of her own, and nothing is left afterwards.

`jupytercloud event create` writes such a folder with codes, tickets and a poster; this one is to read and to change.
"""

from pathlib import Path

from jupytercloud_hub import configure

c = get_config()  # noqa: F821 - JupyterHub gives it
configure(c, Path(__file__).with_name("jupytercloud.yaml"))  # cookies and hosts: site.cookie_host_prefix, site.wildcard

c.JupyterHub.bind_url = "http://127.0.0.1:8000/"  # a web server with a certificate stands in front
c.JupyterHub.cleanup_servers = False  # a restart with a full house takes nobody's seat
