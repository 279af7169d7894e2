"""Names that visitors get, so that nobody has to type one: an animal and what it is like. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

ANIMALS = (
    "Loutre", "Mésange", "Tortue", "Grenouille", "Chouette", "Girafe", "Panthère", "Baleine", "Libellule", "Marmotte",
    "Hirondelle", "Abeille", "Belette", "Cigogne", "Coccinelle", "Fourmi", "Gazelle", "Hermine", "Luciole", "Otarie",
    "Perruche", "Salamandre", "Sauterelle", "Tourterelle", "Antilope", "Biche", "Cigale", "Colombe", "Gerboise",
    "Méduse",
)  # fmt: skip
"""All of one gender, so that every adjective fits."""
MANNERS = (
    "agile", "bleue", "calme", "curieuse", "dorée", "drôle", "fidèle", "futée", "habile", "joyeuse", "légère",
    "libre", "lointaine", "matinale", "patiente", "polaire", "rapide", "rêveuse", "rusée", "sage", "sereine",
    "solaire", "souriante", "tranquille", "verte", "vive", "volontaire", "argentée",
)  # fmt: skip
NUMBER = len(ANIMALS) * len(MANNERS)

Draw = Callable[[Sequence[str]], str]
TRIES = 40


def draw_name(draw: Draw, taken: Collection[str]) -> str:
    """Return a name that nobody has; a number follows where all were given away."""
    for _ in range(TRIES):
        name = f"{draw(ANIMALS)} {draw(MANNERS)}"
        if name not in taken:
            return name
    free = (f"{animal} {manner}" for animal in ANIMALS for manner in MANNERS)
    found = next((name for name in free if name not in taken), None)
    if found is not None:
        return found
    first, number = f"{draw(ANIMALS)} {draw(MANNERS)}", 2
    while f"{first} {number}" in taken:
        number += 1
    return f"{first} {number}"
