"""One machine: the hub listens on loopback, and a web server in front speaks TLS (nginx, Caddy, Apache)."""

from pathlib import Path

from jupytercloud_hub import configure

c = get_config()  # noqa: F821 - JupyterHub gives it
configure(c, Path(__file__).with_name("jupytercloud.yaml"))

c.JupyterHub.bind_url = "http://127.0.0.1:8000/"
c.JupyterHub.cookie_host_prefix_enabled = True  # no page of another host below the same domain can plant a cookie

# With a wildcard name and certificate, each person's server has a host of its own, and no page of one person's can act
# in another's browser session:
# c.JupyterHub.subdomain_host = "https://hub.labo.example.fr"
