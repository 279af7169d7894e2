"""Refusals and failures of a start, in the person's language."""

from __future__ import annotations

from html import escape

from jupyterhub.spawner import SpawnException


class StartRefused(SpawnException):
    """A start that does not happen, with a sentence for the person and a label for the metrics.

    JupyterHub shows ``jupyterhub_message`` on the form and on the page of a failed start, and
    ``jupyterhub_html_message`` in the progress log, where it would put English words before a plain text.
    ``link`` is where it can be helped, address and words, for pages.
    ``details`` are the engine's or the server's own last words: all of them on a page, the last line elsewhere.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        status_code: int = 400,
        log_message: str = "",
        details: str = "",
        link: tuple[str, str] | None = None,
    ) -> None:
        html = escape(message) + (f"<pre>{escape(details)}</pre>" if details else "")
        if link is not None:
            html += f' <a href="{escape(link[0])}">{escape(link[1])}</a>'
        if details:
            message = f"{message} {details.splitlines()[-1]}"
        super().__init__(
            message,
            reason=reason,
            message_html=html,
            status_code=status_code,
        )
        self.log_message = log_message or message  # tornado overwrites what SpawnException kept
        self.jupyterhub_message = message
        self.jupyterhub_html_message = html
