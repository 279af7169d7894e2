"""A server that answers as a single-user server does to the hub, and says what it was started with."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

if os.environ.get("FAIL"):
    print("kernel module not found: " + os.environ["FAIL"], file=sys.stderr)
    sys.exit(3)
time.sleep(float(os.environ.get("DELAY", "0")))


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"environment": dict(os.environ), "folder": str(Path.cwd()), "args": sys.argv[1:]}).encode()
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
server = ThreadingHTTPServer((url.hostname or "127.0.0.1", url.port or 80), Answer)
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
