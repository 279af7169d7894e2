"""One machine: the hub listens on loopback, and a web server in front speaks TLS (nginx, Caddy, Apache)."""

from pathlib import Path

from jupytercloud_hub import configure

c = get_config()  # noqa: F821 - JupyterHub gives it
configure(c, Path(__file__).with_name("jupytercloud.yaml"))

c.JupyterHub.bind_url = "http://127.0.0.1:8000/"
# cookies that no other host can plant, and a host for each person: site.cookie_host_prefix, site.wildcard
