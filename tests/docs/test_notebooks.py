"""Every cell of the notebooks in docs/ runs, and shows what the file has: `--update-docs` writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archcalc.render.drawing import engine
from tests.docs.notebooks import ran, text_of

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "docs" / "notebooks").glob("*.ipynb"))
NEEDED = {"sweep": ("numpy", "pyarrow", "pandas"), "imported-model": ("torch", "torchvision")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_show_what_is_written(path: Path, request, monkeypatch, tmp_path):
    for package in NEEDED.get(path.stem, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "layout_program", lambda: str(engine.pure_program()))  # each Graphviz draws otherwise
    now = ran(path)
    if request.config.getoption("--update-docs"):
        path.write_text(text_of(now), "utf-8")
    written = json.loads(path.read_text("utf-8"))
    for before, after in zip(written["cells"], now["cells"], strict=True):
        assert _plain(before) == _plain(after)


def _plain(cell):
    """What a cell shows, without the HTML of pandas, which has another look in each of its versions."""
    shown = [dict(output.get("data", output)) for output in cell.get("outputs", ())]
    for data in shown:
        if "dataframe" in "".join(data.get("text/html", ())):
            del data["text/html"]
            data["text/plain"] = re.sub(r"\s+", " ", "".join(data["text/plain"]))
    return shown
