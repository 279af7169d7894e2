"""The exercise by buttons: the same data as in the notebook, no typing, for a telephone's screen or for JupyterLab.

The notebook calls `montrer()`. Everything is a button at least 48 px high; the figure is a picture as wide as the
screen. Nothing is written anywhere.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
from IPython.utils.capture import capture_output
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

with capture_output():  # it greets, and loads BokehJS into the page: nothing here needs it
    import pyvoa.front as pf

DATA = "owid"
COUNTRIES = {
    "France": ("France", "France"), "Italy": ("Italie", "Italy"), "Spain": ("Espagne", "Spain"),
    "Germany": ("Allemagne", "Germany"), "Belgium": ("Belgique", "Belgium"), "Portugal": ("Portugal", "Portugal"),
}  # fmt: skip
MEASURES = {
    "total_deaths": ("Décès", "Deaths"), "total_cases": ("Cas", "Cases"),
    "total_vaccinations": ("Vaccins", "Vaccines"),
}  # fmt: skip
SHAPES = {"": ("En tout", "In all"), " weekly": ("Par jour, lissé", "Per day, smoothed")}
COLOURS = ("#1b4f9c", "#c0392b", "#d98e04", "#2e7d4f", "#6c3483", "#00838f")
WORDS = {
    "which": ("1. Que veux-tu voir ?", "1. What do you want to see?"),
    "where": ("2. Touche des pays", "2. Tap countries"),
    "shape": ("3. En tout, ou par jour ?", "3. In all, or per day?"),
    "quiz": ("Question : qui en a le plus, en tout ?", "Question: who has the most, in all?"),
    "right": ("Bravo : {name} !", "Well done: {name}!"),
    "wrong": ("Pas {name}. Regarde la courbe « En tout », puis essaie encore.",
              "Not {name}. Look at the curve “In all”, then try again."),
    "none": ("Touche au moins un pays.", "Tap at least one country."),
    "made-up": ("données fictives", "made-up data"),
    "lab": ("Voir le code dans JupyterLab", "See the code in JupyterLab"),
    "help": ("Je suis bloqué : appeler", "I am stuck: call"),
    "language": ("English", "Français"),
}  # fmt: skip
STYLE = """<style>
.exercice { max-width: 42rem; width: 100%; margin: 0 auto; box-sizing: border-box; overflow: hidden; }
.exercice .widget-html, .exercice .widget-html-content { height: auto; line-height: 1.35; white-space: normal; }
.exercice h2 { font-size: 1.25rem; margin: .9rem 0 .3rem; }
.exercice button.jupyter-button { height: auto; min-height: 3.2rem; font-size: 1.15rem; line-height: 1.2; margin: 4px;
  border-radius: .6rem; border: 2px solid #1b4f9c; background: #fff; color: #16202e; white-space: normal;
  padding: 4px; }
.exercice button.jupyter-button.mod-primary { background: #1b4f9c; color: #fff; }
.exercice img { width: 100%; height: auto; }
.exercice a { display: block; text-align: center; font-size: 1.1rem; padding: .8rem; margin: 4px; color: #1b4f9c;
  border: 2px solid #1b4f9c; border-radius: .6rem; text-decoration: none; }
.exercice p { font-size: 1.1rem; margin: .3rem 4px; }
</style>"""


class Exercise:
    """The state of one visitor's page, and its buttons."""

    def __init__(self, language: int = 0) -> None:
        self.language = language
        self.which, self.shape = "total_deaths", ""
        self.where = ["France", "Italy"]
        self.answer = ""
        self.box = widgets.VBox()
        self.box.add_class("exercice")
        self.picture = widgets.Image(format="png")
        self._tables: dict[str, Any] = {}
        self.show()

    def say(self, word: str, **names: str) -> str:
        return WORDS[word][self.language].format(**names)

    def show(self) -> None:
        """Draw everything anew."""
        self.draw()
        self.box.children = (
            widgets.HTML(STYLE),
            self._title("which"), self._row(MEASURES, [self.which], self._choose_which, 3),
            self._title("where"), self._row(COUNTRIES, self.where, self._choose_where, 2),
            self._title("shape"), self._row(SHAPES, [self.shape], self._choose_shape, 2),
            self.picture,
            self._title("quiz"), self._row(COUNTRIES, [self.answer], self._choose_answer, 2),
            widgets.HTML(f"<p role=status>{self._verdict()}</p>"),
            widgets.HTML(self._links()),
            self._row({"language": WORDS["language"]}, [], self._choose_language, 1),
        )  # fmt: skip

    def draw(self) -> None:
        """Draw the figure as a picture, large enough to be read on a telephone."""
        with mpl.rc_context({"font.size": 13}):
            figure = Figure(figsize=(4.4, 3.6), dpi=160, layout="constrained")
            axes = figure.add_subplot()
            for place, country in enumerate(self.where):
                table = self._table(self.which, country)
                colour = COLOURS[list(COUNTRIES).index(country)]
                axes.plot(table["date"], table[self.which + self.shape], color=colour, linewidth=2.5,
                          linestyle=("-", "--", ":")[place % 3], label=COUNTRIES[country][self.language])  # fmt: skip
            title = f"{MEASURES[self.which][self.language]} – {self.say('made-up')}"
            axes.set_title(title if self.where else self.say("none"))
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_locator(MonthLocator((1, 7)))  # type: ignore[no-untyped-call]
            axes.xaxis.set_major_formatter(DateFormatter("%m/%Y"))  # type: ignore[no-untyped-call]
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
            if self.where:
                figure.legend(frameon=False, loc="outside lower center", ncols=3)
            out = io.BytesIO()
            figure.savefig(out, format="png")
        self.picture.value = out.getvalue()

    def _table(self, which: str, country: str) -> Any:
        if which not in self._tables:
            self._tables[which] = pf.get(where=list(COUNTRIES), which=which, what="current").sort_values("date")
        table = self._tables[which]
        return table[table["where"] == country]

    def _title(self, word: str) -> widgets.HTML:
        return widgets.HTML(f"<h2>{self.say(word)}</h2>")

    def _row(self, choices: Any, chosen: list[str], then: Callable[[str], None], columns: int) -> widgets.GridBox:
        def button(name: str, words: tuple[str, str]) -> widgets.Button:
            on = name in chosen
            made = widgets.Button(description=("✓ " if on else "") + words[self.language])
            made.button_style, made.layout = "primary" if on else "", widgets.Layout(width="auto")
            made.on_click(lambda _: then(name))
            return made

        layout = widgets.Layout(grid_template_columns=f"repeat({columns}, minmax(0, 1fr))", width="100%")
        return widgets.GridBox([button(*choice) for choice in choices.items()], layout=layout)

    def _choose_which(self, name: str) -> None:
        self.which, self.answer = name, ""
        self.show()

    def _choose_where(self, name: str) -> None:
        self.where = [one for one in COUNTRIES if (one in self.where) != (one == name)]
        self.show()

    def _choose_shape(self, name: str) -> None:
        self.shape = name
        self.show()

    def _choose_answer(self, name: str) -> None:
        self.answer = name
        if name not in self.where:
            self.where = [one for one in COUNTRIES if one in self.where or one == name]
        self.show()

    def _choose_language(self, _: str) -> None:
        self.language = 1 - self.language
        self.show()

    def best(self) -> str:
        """Return the country with the most of what is shown."""
        return max(COUNTRIES, key=lambda country: float(self._table(self.which, country)[self.which].max()))

    def _verdict(self) -> str:
        if not self.answer:
            return ""
        name = COUNTRIES[self.answer][self.language]
        return self.say("right" if self.answer == self.best() else "wrong", name=name)

    def _links(self) -> str:
        server = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        if not server:
            return ""
        base = os.environ.get("JUPYTERHUB_BASE_URL", "/")
        return (
            f'<a href="{server}lab/tree/exercice-salon.ipynb">{self.say("lab")}</a>'
            f'<a href="{base}services/events/">{self.say("help")}</a>'
        )


def montrer(language: int | None = None) -> widgets.VBox:
    """Return the exercise, to be shown by the notebook; English where the server's language is English."""
    if pf.getwhom(return_error=False) != DATA:
        with capture_output():  # the first cell of the notebook says all of this
            pf.setwhom(DATA)
    if language is None:
        language = int(os.environ.get("JUPYTERCLOUD_LANGUAGE", "fr") == "en")
    return Exercise(language).box
