"""Copied into `coacache`: every figure says that its data are made up, and has the title that was asked for.

pyvoa 0.4.2 replaces the `title=` that it is given by one of its own. Here each drawing function gets
the person's title back (pyvoa keeps what she passed in `kwargsuser`), with the reminder behind it where
it is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from pyvoa import visu_bokeh, visu_matplotlib, visu_seaborn

REMINDER = "données fictives"
PYVOA_OWN = "Pyvoa charts"  # its default, when no title was given
DRAWING = re.compile(r"(bokeh|matplotlib|seaborn)_\w*(_plot|pie|histo|map|_hist_value|_hist_horizontal)")


def _reminding(draw: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(draw)
    def reminded(self: Any, **kwargs: Any) -> Any:
        wanted = kwargs.get("kwargsuser", {}).get("title", PYVOA_OWN)
        title = wanted if wanted != PYVOA_OWN else kwargs.get("title") or ""
        kwargs["title"] = title if REMINDER in title.lower() else f"{REMINDER} – {title}".rstrip(" –")
        return draw(self, **kwargs)

    return reminded


for _visualization in (visu_bokeh.visu_bokeh, visu_matplotlib.visu_matplotlib, visu_seaborn.visu_seaborn):
    for _name, _method in list(vars(_visualization).items()):
        if DRAWING.fullmatch(_name):
            setattr(_visualization, _name, _reminding(_method))
