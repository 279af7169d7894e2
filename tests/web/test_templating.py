"""What an error page is made of is there before it is needed."""

from __future__ import annotations

import pytest

from jupytercloud_hub.contracts.text import LANGUAGES
from jupytercloud_hub.web import templating


def test_a_process_that_may_open_no_file_any_more_still_has_its_error_page(monkeypatch: pytest.MonkeyPatch) -> None:
    templating.environment.cache_clear()
    templating.keep_error_page()

    def no_file(*arguments: object) -> None:
        raise OSError(24, "Too many open files")

    for language in LANGUAGES:
        env = templating.environment(language)
        assert env.loader is not None
        monkeypatch.setattr(env.loader, "get_source", no_file)
        for name in ("error.html", "page.html"):
            assert env.get_template(name).name == name
        with pytest.raises(OSError, match="Too many"):
            env.get_template("privacy.html")
