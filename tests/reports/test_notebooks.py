"""Notebooks are stored as they are written: no output, no counts, nothing of who ran them where."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "reports" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_all_four_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == {
        "energy_gate",
        "own_accelerator",
        "own_onnx",
        "psconv_paper",
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_run_is_stored(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert set(notebook["metadata"]["language_info"]) == {"name"}, "the version of who saved it"
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}, cell["id"]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, cell["id"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_reads_well(path: Path) -> None:
    """A title first; text before code; cells that fit on a screen; code that parses."""
    cells = read(path)["cells"]
    assert cells[0]["cell_type"] == "markdown" and cells[0]["source"][0].startswith("# ")
    assert sum(cell["cell_type"] == "markdown" for cell in cells) >= len(cells) / 3
    for cell in cells:
        assert len(cell["source"]) <= 40, cell["id"]
        if cell["cell_type"] == "code":
            ast.parse("".join(line for line in cell["source"] if not line.startswith(("%", "!"))))
    assert len({cell["id"] for cell in cells}) == len(cells)
