"""Makes `coacache`, from which pyvoa 0.4.2 reads what it would otherwise download: made-up data only.

pyvoa looks for `coacache/<host>_<crc32 of the URL><suffix>` first, takes only files above 1,000 bytes,
and goes to the network when a file is older than 10,000 s: hence the padding and the modification time
in 2099. The world is a schematic one (each country a rectangle), the tables of unions of states are
short stand-ins, and the figures follow a formula. Nothing comes from a third party.

It needs pyvoa's own dependencies and no more, so that an image can run it: `python made_up_data.py OUT`.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

NEVER_STALE = 4070908800  # 2099-01-01, seconds
SMALLEST_FILE = 1000  # bytes; pyvoa takes less for a failed download
NOTE = "made-up stand-in for the page of this address; "

WIKIPEDIA = "https://en.wikipedia.org/wiki/"
WIKIPEDIA_VERSION = "https://en.wikipedia.org/w/index.php?title="
WORLD = "https://github.com/coa-project/coadata/raw/main/coastore/TM_WORLD_BORDERS_SIMPL-0.3.zip"
SUDAN = "https://github.com/johan/world.geo.json/raw/master/countries/{}.geo.json"

CONTINENTS = {  # pycountry_convert's code: UN M49 code and name
    "AF": (2, "Africa"), "AS": (142, "Asia"), "EU": (150, "Europe"), "NA": (19, "Americas"),
    "SA": (19, "Americas"), "OC": (9, "Oceania"), "AN": (10, "Antarctica"),
}  # fmt: skip

# Unions of states, each in the shape (which table of the page, its rows) in which pyvoa reads it; a few
# members do.
UNIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    f"{WIKIPEDIA_VERSION}Member_states_of_the_Commonwealth_of_Nations&oldid=1090420488": (
        ("Australia", "Canada", "India"),
    ),
    f"{WIKIPEDIA}Community_of_Latin_American_and_Caribbean_States": (("Argentina", "Brazil", "Chile", "Mexico"),),
    f"{WIKIPEDIA}Economic_Community_of_West_African_States": (
        (),
        ("Benin", "Togo", "Total"),
        ("Mali", "Niger", "Total"),
    ),
    f"{WIKIPEDIA}Southern_African_Development_Community": ((), (), ("Angola", "Botswana", "Zambia")),
    f"{WIKIPEDIA}Arab_Maghreb_Union": ((), (), ("Algeria", "Morocco", "Tunisia", "Total")),
    f"{WIKIPEDIA_VERSION}Economic_Community_of_Central_African_States&oldid=1285302050": (
        (),
        (),
        (),
        ("Angola", "Cameroon", "Chad", "Gabon"),
    ),
    f"{WIKIPEDIA}East_African_Community": ((), ("Kenya", "Rwanda", "Uganda", "Total")),
    f"{WIKIPEDIA}Community_of_Sahel%E2%80%93Saharan_States": ((), (), (), ("Chad", "Mali", "Niger", "Total")),
    "https://www.worlddata.info/trade-agreements/comesa.php": (("Egypt", "Kenya", "Zambia"),),
}

# Europe as tiles: column and row of each country, from the north-west.
EUROPE = {
    "ISL": (0, 0), "NOR": (4, 0), "SWE": (5, 0), "FIN": (6, 0), "RUS": (8, 1),
    "DNK": (4, 1), "EST": (6, 1), "LVA": (6, 2), "LTU": (6, 3), "IRL": (0, 2), "GBR": (1, 2),
    "NLD": (3, 2), "DEU": (4, 2), "POL": (5, 2), "BLR": (7, 3), "UKR": (7, 4),
    "BEL": (2, 3), "LUX": (3, 3), "CZE": (4, 3), "SVK": (5, 3), "FRA": (2, 4), "CHE": (3, 4), "LIE": (4, 4),
    "AUT": (5, 4), "HUN": (6, 4), "MDA": (8, 4), "PRT": (0, 5), "ESP": (1, 5), "AND": (2, 5), "ITA": (3, 5),
    "SVN": (4, 5), "HRV": (5, 5), "SRB": (6, 5), "ROU": (7, 5), "MCO": (2, 6), "SMR": (3, 6), "BIH": (4, 6),
    "MNE": (5, 6), "MKD": (6, 6), "BGR": (7, 6), "MLT": (3, 7), "VAT": (2, 7), "ALB": (5, 7), "GRC": (6, 7),
}  # fmt: skip

FIGURES_FOR = (*EUROPE, "USA", "CAN", "JPN", "BRA", "IND", "ZAF", "CHN", "AUS")
FIRST_DAY, WEEKS = date(2020, 3, 1), 100


def main(out: Path, database: str = "owid") -> None:
    """Write `out/coacache`, ready for `PYTHONPATH=out`. `database`: one of pyvoa's by country (not by
    region)."""
    folder = out / "coacache"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("reminder.py"), folder / "__init__.py")
    for url, suffix, content in (*_pages(), *_world(), *_figures(database)):
        path = folder / f"{urlsplit(url).netloc}_{crc32(url.encode())}{suffix}"
        path.write_bytes(content + b" " * max(0, SMALLEST_FILE + 1 - len(content)))
    for path in folder.iterdir():
        os.utime(path, (NEVER_STALE, NEVER_STALE))


def _pages() -> Iterator[tuple[str, str, bytes]]:
    for url, tables in UNIONS.items():
        yield url, "", _page(*(_table(("Country", "x"), ((m, "1") for m in t or ("a", "b"))) for t in tables))
    regions = sorted({(1, "World"), *CONTINENTS.values()})
    m49 = _table(("code", "region"), ((str(code), name) for code, name in regions))
    yield f"{WIKIPEDIA_VERSION}UN_M49&oldid=986603718", "", _page(_table(("a", "b"), [("1", "2")]), m49)
    url = f"{WIKIPEDIA_VERSION}List_of_countries_by_United_Nations_geoscheme&oldid=1008989486"
    columns = ("country", "capital", "iso2", "iso3", "num", "m49")
    rows = (
        (name, "(made up)", iso2, iso3, number, f"{CONTINENTS[continent][0]:03d} < 001")
        for name, iso2, iso3, number, continent in _countries()
    )
    yield url, "", _page(_table(columns, rows))


def _countries() -> Iterator[tuple[str, str, str, str, str]]:
    """Name, the three ISO 3166 codes and the continent of each country."""
    import pycountry
    import pycountry_convert

    for country in sorted(pycountry.countries, key=lambda c: str(c.alpha_3)):
        try:
            continent = pycountry_convert.country_alpha2_to_continent_code(country.alpha_2)
        except KeyError:  # a few islands and the Antarctic
            continent = "AN"
        yield country.name, country.alpha_2, country.alpha_3, country.numeric, continent


def _world() -> Iterator[tuple[str, str, bytes]]:
    import geopandas
    from shapely.geometry import MultiPolygon, box, mapping

    shapes = {}
    for index, (_, _, iso3, _, _) in enumerate(_countries()):
        x, y = -170 + 16 * (index % 20), -60 + 6 * (index // 20)
        if iso3 in EUROPE:
            column, row = EUROPE[iso3]
            x, y = -20 + 6 * column, 66 - 4 * row
        # Two parts: for a few countries pyvoa demands a shape of several polygons.
        shapes[iso3] = MultiPolygon([box(x, y, x + 5.4, y + 3.6), box(x + 5.5, y, x + 5.6, y + 3.6)])
    world = geopandas.GeoDataFrame(
        {"ISO3": [iso3 for iso3 in shapes if iso3 != "SSD"]},
        geometry=[shape for iso3, shape in shapes.items() if iso3 != "SSD"],
        crs="EPSG:4326",
    )
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        world.to_file(temporary / "world.shp")
        with zipfile.ZipFile(temporary / "world.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(temporary.glob("world.*")):
                if part.suffix != ".zip":
                    archive.write(part, part.name)
        yield WORLD, ".zip", (temporary / "world.zip").read_bytes()
    for iso3 in ("SSD", "SDN"):
        feature = {
            "type": "Feature",
            "id": iso3,
            "properties": {"name": iso3},
            "geometry": mapping(shapes[iso3]),
        }
        yield (
            SUDAN.format(iso3),
            "",
            json.dumps({"type": "FeatureCollection", "features": [feature]}).encode(),
        )


def _figures(database: str) -> Iterator[tuple[str, str, bytes]]:
    """The series of one of pyvoa's databases, in the columns that its own description asks for."""
    found = importlib.util.find_spec("pyvoa")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pyvoa is not installed: pip install pyvoa==0.4.2")
    described = Path(found.submodule_search_locations[0]) / "data" / f"{database}.json"
    for dataset in json.loads(described.read_text(encoding="utf-8"))["datasets"]:
        columns = {c.get("alias", c["name"]): c["name"] for c in dataset["columns"]}
        with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=dataset.get("separator", ";"))
            writer.writerow(columns)
            for place, (country, week) in enumerate((c, w) for c in FIGURES_FOR for w in range(WEEKS)):
                values = _values(columns, country, place // WEEKS, week)
                writer.writerow(values)
            file.seek(0)
            yield dataset["urldata"], "", file.read().encode()


def _values(columns: dict[str, str], country: str, place: int, week: int) -> Iterator[str]:
    """One line: totals only grow, in waves; what is not a total rises and falls."""
    size = 400 * (1 + (place * 7) % 11)
    for name in columns.values():
        if name == "where":
            yield country
        elif name == "date":
            yield (FIRST_DAY + timedelta(weeks=week)).isoformat()
        elif name.startswith("total_"):
            yield f"{size * (week + 6 * math.sin(week / 6 + place)) + 3000 * (1 + place % 3):.1f}"
        else:
            yield f"{size * (1.1 + math.sin(week / 6 + place)) / 10:.1f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = "".join("<tr>" + "".join(f"<td>{v}</td>" for v in row) + "</tr>" for row in rows)
    return "<table><tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>" + lines + "</table>"


def _page(*tables: str) -> bytes:
    padding = NOTE * (1 + SMALLEST_FILE // len(NOTE))
    head = '<html><head><meta charset="utf-8"></head><body>'
    return f"{head}{''.join(tables)}<!-- {padding} --></body></html>".encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
