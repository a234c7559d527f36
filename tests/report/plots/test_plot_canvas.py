"""Saving: the same bytes every time, whole or not at all, and no state left behind."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from support import Process

from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.plots import save_plot
from energysim.report.plots.canvas import FORMS, figure_bytes, styled

#: Draws a report from its file and prints the digest of what would be saved.
PROGRAM = """
import hashlib, sys
from energysim.report import Report
from energysim.report.plots.canvas import figure_bytes
report = Report.from_json(open(sys.argv[1]).read())
for form in ("svg", "png", "pdf"):
    print(form, hashlib.sha256(figure_bytes(report.plot_traffic(by="part"), form)).hexdigest())
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.fixture(scope="module")
def figure(pair: Report) -> Figure:
    return pair.plot_traffic(by="part")


@pytest.mark.parametrize("form", ["svg", "png", pytest.param("pdf", marks=pytest.mark.slow)])
def test_the_same_bytes_twice(pair: Report, figure: Figure, form: str) -> None:
    assert figure_bytes(figure, form) == figure_bytes(pair.plot_traffic(by="part"), form)


def test_the_same_bytes_in_two_processes(
    pair: Report, figure: Figure, process: Process, tmp_path: Path
) -> None:
    pair.save(tmp_path / "a.json")
    done = process("-c", PROGRAM, str(tmp_path / "a.json"), PYTHONHASHSEED="1", LC_ALL="C", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    told = dict(line.split() for line in done.stdout.splitlines())
    assert told == {form: hashlib.sha256(figure_bytes(figure, form)).hexdigest() for form in FORMS}


def test_the_style_of_the_user_does_not_matter(pair: Report, figure: Figure) -> None:
    before = figure_bytes(figure, "svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        assert figure_bytes(pair.plot_traffic(by="part"), "svg") == before
        assert matplotlib.rcParams["font.size"] == 30
    with styled():
        pass
    assert matplotlib.rcParams["svg.hashsalt"] is None


def test_a_picture_says_neither_when_nor_with_what_it_was_made(figure: Figure) -> None:
    text = figure_bytes(figure, "svg").decode()
    assert "<dc:date>" not in text
    assert matplotlib.__version__ not in text
    assert "CreationDate" not in figure_bytes(figure, "pdf").decode("latin-1")
    assert b"Software" not in figure_bytes(figure, "png")


def test_names_are_text_and_nothing_is_a_formula(pair: Report) -> None:
    from dataclasses import replace

    run = pair.runs[0]
    layers = (replace(run.layers[0], origin="$x_1$ <&> 層"), *run.layers[1:])
    text = figure_bytes(replace(pair, runs=(replace(run, layers=layers),)).plot_storage(), "svg").decode()
    assert "$x_1$ &lt;&amp;&gt; 層" in text


def test_saved_in_the_format_of_the_suffix(figure: Figure, tmp_path: Path) -> None:
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    for form, start in starts.items():
        save_plot(figure, tmp_path / f"a.{form.upper()}")
        assert (tmp_path / f"a.{form.upper()}").read_bytes().startswith(start)


def test_a_notebook_shows_it_without_configuration(figure: Figure) -> None:
    assert figure._repr_png_() == figure_bytes(figure, "png")  # type: ignore[attr-defined]


def test_very_tall_pictures_have_fewer_points() -> None:
    tall = figure_bytes(Figure(figsize=(0.5, 1000)), "png")
    width, height = (int.from_bytes(tall[place : place + 4], "big") for place in (16, 20))
    assert (width, height) == (32, 65_000)
    usual = figure_bytes(Figure(figsize=(2, 1)), "png")
    assert int.from_bytes(usual[16:20], "big") == 300


def test_what_cannot_be_saved(figure: Figure, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a.jpg: a plot is saved as .svg, .png, .pdf"):
        save_plot(figure, tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="unknown format 'svgz' of a plot; did you mean 'svg'"):
        figure_bytes(figure, "svgz")
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        save_plot(figure, tmp_path / "none" / "a.svg")
    (tmp_path / "old.svg").write_text("old")
    (tmp_path / "old.svg").chmod(0o444)
    assert [path.name for path in tmp_path.iterdir()] == ["old.svg"]


def test_pyplot_is_never_imported() -> None:
    """It would take a window system, and keep figures alive."""
    source = Path(sys.modules["energysim.report.plots.canvas"].__file__ or "").parent
    for path in source.glob("*.py"):
        assert "pyplot" not in path.read_text().replace("never pyplot's", ""), path
