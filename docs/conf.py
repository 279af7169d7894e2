"""Sphinx configuration; the reference pages are generated from the code."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from jupytercloud_hub import __version__

project = "jupytercloud-hub"
author = "the jupytercloud-hub contributors"
release = version = __version__
extensions = ["myst_parser", "generated"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
exclude_patterns = ["_build", "locale"]

# The pages in French: docs/locale/fr/LC_MESSAGES/<page>.po; what has no French text yet stands in English.
language = os.environ.get("DOCS_LANGUAGE", "en")
locale_dirs = ["locale"]
gettext_compact = False
gettext_uuid = False
