import os
from pathlib import Path

import pytest


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Where screenshots go: JUPYTERCLOUD_IMAGES (docs/images when they are to be renewed), else the test's folder."""
    folder = Path(os.environ.get("JUPYTERCLOUD_IMAGES", tmp_path / "images"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
