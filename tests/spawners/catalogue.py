"""The one catalogue with which all backends are tested; ``command`` is the light server of each."""

from __future__ import annotations

from typing import Any

from tests.support.engines import LIGHT, NOTEBOOK

SHARED = "/srv/shared"
IN_A_CLUSTER: dict[str, Any] = {"image_pull_policy": "IfNotPresent", "delete_grace_period": 1}
LOST = "registry.invalid/nobody/has:this"
STRICT_UID = 1_234_567

GPUS = {
    "a100": {
        "most": 1,
        "swarm": {"constraints": ["node.labels.gpu==a100"]},
        "kubernetes": {"resource": "nvidia.com/gpu"},
    }
}
NODE_CLASSES = {
    name: {"swarm": [f"node.hostname=={host}"], "kubernetes": {"node_selector": {"kubernetes.io/hostname": host}}}
    for name, host in (("first", "node1"), ("second", "node2"), ("nowhere", "node99"))
}


def profiles(command: list[str], data: str, hub5: str) -> list[dict[str, Any]]:
    """Return the catalogue; ``data``: folder with shared data; ``hub5``: single-user server of JupyterHub 5."""
    light = {
        "name": "light",
        "title": "Light",
        "default": True,
        "image": LIGHT,
        "command": command,
        "resources": {"cpu": {"guarantee": 0.05, "limit": 0.5}, "memory": {"guarantee": "16 MiB", "limit": "64 MiB"}},
        "environment": {"COLOUR": "blue"},
        "kubernetes": IN_A_CLUSTER,
    }
    notebook = {
        "name": "notebook",
        "title": "Notebook",
        "image": NOTEBOOK,
        "resources": {"cpu": {"guarantee": 0.1, "limit": 2}, "memory": "1 GiB"},
        "default_url": "/lab/tree/first.ipynb",
        "timeouts": {"start": "60 s", "http": "90 s"},
        "kubernetes": IN_A_CLUSTER,
    }

    def also(name: str, extends: str = "light", **keys: Any) -> dict[str, Any]:
        return {"name": name, "title": name.title(), "extends": extends, **keys}

    return [
        light,
        also("gpu", resources={"gpu": 1, "gpu_type": "a100"}, timeouts={"start": "14 s"}),
        also("first", node_class="first"),
        also("second", node_class="second", timeouts={"start": "25 s"}),
        also("nowhere", node_class="nowhere", timeouts={"start": "8 s"}),
        also("slow", environment={"DELAY": "6"}),
        also("failing", environment={"FAIL": "no licence left"}),
        also("lost", image=LOST),
        also(
            "data",
            resources={"shm": "8 MiB", "storage": "100 MiB"},
            volumes=[
                {"source": data, "target": "/data"},
                {"kind": "cvmfs", "target": "/cvmfs"},
                {"kind": "scratch", "target": "/scratch"},
            ],
        ),
        also(
            "own",
            options=[
                {
                    "name": "image",
                    "title": "Image",
                    "image": True,
                    "text": {"pattern": r"[\w./:@-]+", "registries": ["registry.invalid/team"]},
                    "choices": [LIGHT],
                }
            ],
        ),
        also("odd", kubernetes={"no_such_trait": 1}, swarm={"no_such_trait": 1}),
        notebook,
        also("hub5", "notebook", command=[hub5]),
        also(
            "strict",
            "notebook",
            volumes=[{"kind": "scratch", "target": "/tmp"}],
            kubernetes={
                "uid": STRICT_UID,
                "gid": 0,
                "container_security_context": {
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            },
        ),
    ]
