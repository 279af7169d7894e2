"""The PyCoA profile's notebook and its made-up data: they work with no network, and every figure says what
they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import jupytercloud_hub.demo.pycoa as room
from jupytercloud_hub.demo.pycoa import made_up_data

NOTEBOOK = Path(room.__file__).parent / "premiers-pas.ipynb"


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pycoa")
    made_up_data.main(out)
    return out


def run(cells: list[str], cache: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute cells in a kernel that has the made-up data, and whose every way to the network is closed."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, folder / "in.ipynb")
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ, "PYTHONPATH": str(cache), "USER": "eleve",
        "BOKEH_RESOURCES": "inline", "TMPDIR": str(folder),
        "http_proxy": nowhere, "https_proxy": nowhere, "HTTPS_PROXY": nowhere, "no_proxy": "127.0.0.1",
        "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }  # fmt: skip
    program = (
        "import nbformat, nbclient; nb = nbformat.read('in.ipynb', 4);"
        "nbclient.NotebookClient(nb, timeout=120, kernel_name='python3').execute();"
        "nbformat.write(nb, 'out.ipynb')"
    )
    command = [sys.executable, "-c", program]
    if os.geteuid() == 0 and shutil.which("unshare"):
        command = ["unshare", "-n", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh", *command]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return nbformat.read(folder / "out.ipynb", 4)


def figures(notebook: nbformat.NotebookNode) -> list[str]:
    """The JavaScript of each Bokeh figure that the cells showed."""
    return [
        output["data"]["application/javascript"]
        for cell in notebook.cells
        for output in cell.outputs
        if "application/vnd.bokehjs_exec.v0+json" in output.get("data", {})
    ]


def said(text: str) -> bool:
    return "données fictives" in text or json.dumps("données fictives").strip('"') in text


def test_the_first_notebook_plots_a_curve_a_pie_and_a_map_with_no_network(cache, tmp_path):
    cells = [c.source for c in nbformat.read(NOTEBOOK, 4).cells if c.cell_type == "code"]
    shown = figures(run(cells, cache, tmp_path))
    assert len(shown) == 3
    assert all(said(figure) for figure in shown)


def test_the_exercise_of_the_fair_runs_with_no_network(cache, tmp_path):
    exercise = nbformat.read(NOTEBOOK.with_name("exercice-salon.ipynb"), 4)
    nbformat.validate(exercise)
    shown = figures(run([c.source for c in exercise.cells if c.cell_type == "code"], cache, tmp_path))
    assert len(shown) == 2
    assert all(said(figure) for figure in shown)


def test_a_figure_with_a_title_of_her_own_or_none_says_that_the_data_are_made_up(cache, tmp_path):
    shown = figures(
        run(
            [
                "import coacache\nimport pyvoa.front as pf\npf.setvis('bokeh')\npf.setwhom('owid')",
                "pf.plot(where=['France', 'Italy'], which='total_cases', title='Mon titre')",
                "pf.hist(where=['France', 'Italy'], which='total_cases')",
            ],
            cache,
            tmp_path,
        )
    )
    assert len(shown) == 2
    assert all(said(figure) for figure in shown)
    assert "Mon titre" in shown[0]


def test_the_notebook_is_valid_french_and_comes_without_outputs():
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(not c.outputs and c.execution_count is None for c in code)
    assert "Les données sont fictives" in notebook.cells[0].source
    for drawing in ("pf.plot(", "pf.hist(", "pf.map("):
        assert any(drawing in c.source and "données fictives" in c.source for c in code)


def test_the_made_up_data_stay_fresh_and_are_large_enough_for_pyvoa(cache):
    files = [f for f in (cache / "coacache").iterdir() if f.is_file() and f.suffix != ".py"]
    assert len(files) == 15
    assert all(f.stat().st_size > 1000 for f in files)
    assert all(f.stat().st_mtime > time.time() + 50 * 365 * 86400 for f in files)
