"""``energysim plot``: every kind from a model and from a saved report, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import Process

from energysim.cli import cli
from energysim.errors import EnergysimError
from energysim.report import Report
from energysim.report.plots import KINDS
from energysim.report.plots.canvas import figure_bytes

NET = ["digits_cnn", "-s", "psconv"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["plot", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def saved(pair: Report, folder: Path) -> Path:
    pair.save(folder / "report.json")
    return folder / "report.json"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "curve"])
def test_every_kind_of_a_model(folder: Path, kind: str) -> None:
    assert run(*NET, "--kind", kind, "-o", "a.svg") == "wrote a.svg\n"
    assert (folder / "a.svg").read_text().startswith("<?xml")
    assert [path.name for path in folder.iterdir()] == ["a.svg"]


def test_a_curve_of_a_network_and_of_a_layer(folder: Path) -> None:
    run(*NET, "-k", "curve", "--capacities", "4KiB,16KiB", "-o", "a.svg")
    run(*NET, "-k", "curve", "--capacities", "4KiB,16KiB", "--layer", "features.conv2", "-o", "b.svg")
    first, second = (folder / "a.svg").read_text(), (folder / "b.svg").read_text()
    assert "of the buffer: digits_cnn" in first
    assert "features.conv2 of digits_cnn" in second
    for text in (first, second):
        assert "dense" in text
        assert "psconv:PSD4_P8" in text


def test_a_saved_report_is_the_report(pair: Report, saved: Path, folder: Path) -> None:
    run(str(saved), "-k", "traffic", "--by", "part", "-o", "a.svg")
    assert (folder / "a.svg").read_bytes() == figure_bytes(pair.plot_traffic(by="part"), "svg")
    run(str(saved), "-k", "traffic", "--level", "buffer", "--by", "network", "-o", "b.png")
    assert (folder / "b.png").read_bytes() == figure_bytes(pair.plot_traffic("buffer", "network"), "png")
    run(str(saved), "-k", "patterns", "--window", "3x3", "-o", "c.pdf")
    assert (folder / "c.pdf").read_bytes() == figure_bytes(pair.plot_patterns(), "pdf")
    given = ["--accuracy", "dense=90", "--accuracy", "psconv:PSD4_P8=80.5"]
    run(str(saved), "-k", "tradeoff", *given, "-o", "d.svg")
    figure = pair.plot_tradeoff({"dense": 90, "psconv:PSD4_P8": 80.5})
    assert (folder / "d.svg").read_bytes() == figure_bytes(figure, "svg")


def test_options_of_an_estimate(folder: Path) -> None:
    run(*NET, "-w", "eyeriss", "--batch", "3", "-k", "roofline", "-o", "a.svg")
    assert "1x8x8, batch 3, on eyeriss" in (folder / "a.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-k", "energi"], "unknown kind 'energi' of a plot; did you mean 'energy'? (energy, traffic, "),
        (["-o", "a.svgz"], "a.svgz: a plot is saved as .svg, .png, .pdf; did you mean 'svg'?"),
        (["-o", "picture"], "picture: a plot is saved as .svg, .png, .pdf"),
        (["-o", "none/a.svg"], "none/a.svg: cannot be written: there is no directory 'none'"),
        (["--by", "layers"], "plot by 'layers'; did you mean 'layer'?"),
        (["--level", "dram"], "--level goes with --kind traffic, not with energy"),
        (["-k", "roofline", "--by", "part"], "--by goes with --kind energy or traffic or storage, not with"),
        (
            ["-k", "traffic", "--level", "bufer"],
            "the report has no traffic of 'bufer'; did you mean 'buffer'?",
        ),
        (["-k", "patterns", "--window", "3"], "--window is RxS with lengths from 1 to 32, not '3'"),
        (["-k", "patterns", "--window", "0x3"], "--window is RxS with lengths from 1 to 32, not '0x3'"),
        (["-k", "patterns", "--window", "5x5"], "has a support that repeats in 5x5 windows"),
        (["-k", "tradeoff", "--accuracy", "dense"], "--accuracy is SCHEME=PERCENT from 0 to 100"),
        (["-k", "tradeoff", "--accuracy", "dense=nan"], "once for each scheme, not 'dense=nan'"),
        (["-k", "tradeoff", "--accuracy", "dens=9"], "an accuracy of 'dens', which the report has not; did"),
        (["-k", "curve"], "a curve is many estimates, and a report is one: give the model instead"),
        (["-s", "psconv"], "--sparsity is of an estimate; the report in MODEL is finished"),
        (["--batch", "2"], "--batch is of an estimate; the report in MODEL is finished"),
    ],
)
def test_messages(saved: Path, folder: Path, arguments: list[str], message: str) -> None:
    if "-o" not in arguments:
        arguments = [*arguments, "-o", "a.svg"]
    result = CliRunner().invoke(cli, ["plot", str(saved), *arguments])
    assert isinstance(result.exception, EnergysimError)
    assert message in str(result.exception)
    assert result.exception.exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def test_wrong_options_are_found_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    import energysim.walker

    monkeypatch.setattr(energysim.walker, "estimate", lambda *args, **kwargs: pytest.fail("computed"))
    for arguments in (["-k", "x"], ["--by", "x"], ["--accuracy", "x"], ["-o", "a.gif"], ["-o", "none/a.svg"]):
        given = arguments if "-o" in arguments else [*arguments, "-o", "a.svg"]
        kind = ["-k", "tradeoff"] if "--accuracy" in arguments else []
        result = CliRunner().invoke(cli, ["plot", "vgg16", *kind, *given])
        assert isinstance(result.exception, EnergysimError), arguments


def test_objective_of_a_curve() -> None:
    result = CliRunner().invoke(cli, ["plot", *NET, "-k", "curve", "--objective", "energy", "-o", "a.svg"])
    assert "--kind curve is about the least DRAM traffic" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "not a report: "),
        ('{"schema_version": 99}', "not a report of schema version"),
    ],
)
def test_files_that_hold_no_report(folder: Path, text: str | None, message: str) -> None:
    if text is not None:
        (folder / "x.json").write_text(text)
    result = CliRunner().invoke(cli, ["plot", "x.json", "-o", "a.svg"])
    assert str(result.exception).startswith("x.json: ")
    assert message in str(result.exception)
    assert not (folder / "a.svg").exists()


def test_an_old_picture_stays_if_the_new_one_fails(folder: Path) -> None:
    (folder / "a.svg").write_text("old")
    result = CliRunner().invoke(cli, ["plot", *NET, "-k", "patterns", "--window", "5x5", "-o", "a.svg"])
    assert isinstance(result.exception, EnergysimError)
    assert (folder / "a.svg").read_text() == "old"


def test_matplotlib_is_imported_for_drawing_only(process: Process) -> None:
    code = (
        "import sys, json\n"
        "import energysim.report.plots, energysim.report.colours, energysim.cli.plot_command\n"
        "from energysim.cli import main\n"
        "try: main(['plot', '--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.startswith(('matplotlib', 'numpy')))))"
    )
    done = process("-c", code, python=sys.executable)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
