"""The commands baseline and diff, and what check writes for GitHub."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

from energysim.regression import read_baseline
from energysim.report import Report
from energysim.walker import estimate

from .small import called, created, edit, flat, project

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    return tmp_path


def test_create_names_the_file_itself(here: Path, capsys: Capture) -> None:
    assert called("baseline", "create", "net.py", "-w", "soc.yaml") == 0
    assert called("baseline", "create", "-w", "soc.yaml") == 0
    assert capsys.readouterr().err == "wrote baselines/net-soc.json\nwrote baselines/unit-soc.json\n"
    assert called("check", "baselines") == 0
    recipe = json.loads(Path("baselines/net-soc.json").read_text())["recipe"]
    assert recipe == {"model": "../net.py", "hardware": "../soc.yaml", "sparsity": ["dense"]}
    assert json.loads(Path("baselines/unit-soc.json").read_text())["recipe"] == {"hardware": "../soc.yaml"}


def test_create_keeps_every_option(here: Path) -> None:
    Path("zeros.json").write_text('{"schema": "energysim-activations/1", "tensors": {"relu1": 0.5}}')
    words = (
        "-s psconv:PSD4_P8,shift --input 2x6x8 --classes 3 --batch 2 --bits 16 --activations zeros.json",
        "--format-weights csr --format-activations bitmap --rules overlap=none --fuse pool",
        "--cost-model two-level --objective dram --allow-unknown",
    )
    options = " ".join(words).split()
    made = created(*options, "-s", "conv*=psconv:PSD1_P16;", name="deep/base.json")
    given = json.loads(Path("deep/base.json").read_text())["recipe"]
    assert given == {
        "model": "../net.py",
        "hardware": "../soc.yaml",
        "sparsity": ["dense", "psconv:PSD4_P8", "shift", "conv*=psconv:PSD1_P16"],
        "input": [2, 6, 8],
        "classes": 3,
        "batch": 2,
        "bits": "16",
        "activations": "../zeros.json",
        "format_weights": "csr",
        "format_activations": "bitmap",
        "rules": "overlap=none",
        "fusion": "pool",
        "cost_model": "two-level",
        "objective": "dram",
        "allow_unknown": True,
    }
    report = estimate(
        "net.py",
        ["psconv:PSD4_P8", "shift", "conv*=psconv:PSD1_P16"],
        "soc.yaml",
        input=(2, 6, 8),
        classes=3,
        batch=2,
        bits=16,
        activations="zeros.json",
        format_weights="csr",
        format_activations="bitmap",
        rules="overlap=none",
        fusion="pool",
        objective="dram",
    )
    for run in report.runs:
        energy = sum(
            v for c in made.table[run.scheme].values() for k, v in c.items() if k.endswith(".energy_aj")
        )
        assert energy == report.totals(run.scheme).total_energy_aj
    assert called("check", "deep/base.json") == 0
    edit(Path("zeros.json"), "0.5", "0.25")
    assert called("check", "deep/base.json") == 1


def test_the_command_shown_makes_the_same_file(here: Path, capsys: Capture) -> None:
    created("-s", "psconv:PSD4_P8", "-s", "conv*=psconv:PSD1_P16;", "--batch", "3", "--input", "2x6x8")
    Path("deep").mkdir()
    assert called("baseline", "create", "net.py", "-w", "soc.yaml", "-o", "deep/base.json") == 0
    for name in ("base.json", "deep/base.json"):
        capsys.readouterr()
        assert called("baseline", "show", name) == 0
        told = flat(capsys.readouterr().out)
        command = told.partition("made by ")[2].partition(" made with")[0]
        before = Path(name).read_text()
        Path(name).unlink()
        assert called(*shlex.split(command)[1:]) == 0
        assert Path(name).read_text() == before
    Path("net.py").rename("other.py")
    capsys.readouterr()
    assert called("check", "deep/base.json") == 2
    told = flat(capsys.readouterr().err)
    assert told.startswith("energysim: deep/base.json: its model file net.py is not there; ")
    command = told.partition("anew: ")[2].replace("FILE", "other.py")
    assert called(*shlex.split(command)[1:]) == 0
    assert called("check", "deep/base.json") == 0


def test_a_file_is_not_taken_for_a_name(here: Path, capsys: Capture) -> None:
    """A specification of one's own beside the baseline, in a file without suffix, named as a shipped one."""
    Path("soc.yaml").rename("edge45")
    assert called("baseline", "create", "net.py", "-w", "./edge45", "-o", "base.json") == 0
    assert read_baseline(Path("base.json")).hardware == "soc"
    assert called("check", "base.json") == 0
    edit(Path("edge45"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    assert called("check", "base.json") == 1


def test_all_stands_for_what_it_stands_for_today(here: Path) -> None:
    made = created("-s", "all")
    assert made.recipe is not None
    assert "all" not in made.recipe.sparsity
    assert len(made.recipe.sparsity) > 5
    assert called("check", "base.json") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "vgg61"), "unknown model 'vgg61'; did you mean 'vgg16'?"),
        (("create", "net.py", "-w", "edge54"), "did you mean 'edge45'?"),
        (("create", "net.py", "-o", "base.json"), "base.json: is there already; energysim baseline update"),
        (("create", "net.py", "-o", "."), ".: cannot be written: it is a directory"),
        (("create", "--batch", "2"), "without a MODEL a baseline keeps the unit costs of --hardware"),
        (("create", "net.py", "--search-seconds", "1"), "no such option '--search-seconds'"),
        (("create", "net.py", "-s", "psconv:patterns=/p.yaml"), "pattern file '/p.yaml' cannot be read"),
        (("update",), "missing argument 'BASELINES...'"),
        (("update", "none.json"), "none.json: no such baseline; create it: "),
        (("show", "none.json"), "none.json: cannot be read: No such file"),
        (("shwo", "base.json"), "unknown baseline command 'shwo'; did you mean 'show'?"),
    ],
)
def test_refused(here: Path, capsys: Capture, arguments: tuple[str, ...], message: str) -> None:
    created()
    before = Path("base.json").read_bytes()
    capsys.readouterr()
    assert called("baseline", *arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert told.err.count("\n") == 1
    assert Path("base.json").read_bytes() == before
    assert sorted(p.name for p in here.iterdir()) == ["base.json", "net.py", "soc.yaml"]


def test_schemes_with_files(here: Path, capsys: Capture) -> None:
    text = "schema: energysim-patterns/1\nwindow: [3, 3]\nslots: [[0, 1], [4]]\n"
    Path("own.yaml").write_text(text)
    assert (
        called("baseline", "create", "net.py", "-s", f"psconv:patterns={here}/own.yaml", "-o", "b.json") == 2
    )
    assert "a baseline holds no absolute path" in capsys.readouterr().err
    created("-s", "psconv:patterns=own.yaml")
    assert called("check", "base.json") == 0
    Path("own.yaml").write_text(text.replace("[4]", "[4, 5]"))
    assert called("check", "base.json") == 1
    assert "the inputs changed" in capsys.readouterr().err


def test_update(here: Path, capsys: Capture) -> None:
    created()
    capsys.readouterr()
    assert called("baseline", "update", "base.json") == 0
    assert capsys.readouterr().out == "base.json: unchanged: no number moved\n"
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    assert called("check", "base.json") == 1
    capsys.readouterr()
    Path("bad.json").write_text("{")
    assert called("baseline", "update", ".") == 2
    told = capsys.readouterr()
    assert told.out == "base.json: written: 3 numbers moved in 3 layers: the inputs changed\n"
    assert told.err.startswith("energysim: bad.json: not a baseline: ")
    assert Path("bad.json").read_text() == "{"
    assert called("check", "base.json") == 0


def test_show(here: Path, capsys: Capture) -> None:
    made = created("-s", "psconv")
    capsys.readouterr()
    assert called("baseline", "show", "base.json") == 0
    told = capsys.readouterr().out
    macs = sum(cells.get("macs", 0) for cells in made.table["dense"].values())
    assert f"{macs:,}" in told
    assert "network parameters" in told
    assert called("baseline", "show", "base.json", "--format", "json") == 0
    assert capsys.readouterr().out == Path("base.json").read_text()
    assert called("baseline", "show", "base.json", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(int(row["macs"]) for row in rows if row["scheme"] == "dense") == macs
    assert called("baseline", "show", "base.json", "--format", "markdown") == 0
    assert "| dense |" in capsys.readouterr().out
    assert called("baseline", "create", "-w", "edge45", "-o", "unit.json") == 0
    assert called("baseline", "show", "unit.json") == 0
    assert "levels.dram.read" in capsys.readouterr().out


def test_a_baseline_made_from_a_report_says_who_checks_it(here: Path, capsys: Capture) -> None:
    created()
    edit(
        Path("base.json"),
        '"recipe": {\n "model": "net.py",\n "hardware": "soc.yaml",\n "sparsity": [\n  "dense"\n ]\n}',
        '"recipe": null',
    )
    capsys.readouterr()
    for command in (("check",), ("baseline", "update")):
        assert called(*command, "base.json") == 2
        assert "made from a report, so nothing says how to recompute it" in capsys.readouterr().err


def test_diff_of_reports_and_baselines(here: Path, capsys: Capture) -> None:
    estimate("net.py", "psconv", "soc.yaml").save("a.json")
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    estimate("net.py", "psconv", "soc.yaml").save("b.json")
    created("-s", "psconv")
    capsys.readouterr()
    assert called("diff", "a.json", "b.json") == 0
    told = flat(capsys.readouterr().out)
    assert "a.json against b.json: 6 numbers moved in 6 layers: the inputs changed" in told
    assert "input changed: levels.buffer.read: 6 pJ -> 7 pJ" in told
    assert called("diff", "b.json", "base.json", "--exit-code") == 0
    assert "no number moved" in capsys.readouterr().out
    assert called("diff", "a.json", "base.json", "--exit-code", "--format", "json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["old"], data["passed"]) == ("energysim-diff/1", "a.json", False)
    assert called("diff", "a.json", "b.json", "-o", "d.md") == 0
    assert Path("d.md").read_text().startswith("## a.json against b.json")
    estimate("digits_cnn").save("c.json")
    for arguments, message in (
        (("a.json", "c.json"), "have no layer in common"),
        (("a.json", "none.json"), "none.json: cannot be read"),
        (("a.json", "b.json", "-o", "d.csv"), "diff writes no csv"),
        (("soc.yaml", "b.json"), "soc.yaml: neither a baseline nor a report"),
    ):
        capsys.readouterr()
        assert called("diff", *arguments) == 2
        assert message in capsys.readouterr().err


def test_one_layer_twice_in_a_report(here: Path, capsys: Capture, pair: Report) -> None:
    data = json.loads(pair.to_json())
    names = [row[0] for row in data["runs"][0]["layers"]["rows"]]
    dropouts = [
        row for row in data["runs"][0]["layers"]["rows"] if not any(type(v) is int and v for v in row[7:28])
    ]
    data["runs"][0]["layers"]["rows"].append(dropouts[0])
    assert dropouts[0][0] in names
    Path("twice.json").write_text(json.dumps(data))
    assert called("diff", "twice.json", "twice.json") == 2
    assert "twice.json: not a complete report: a layer of 'dense' is there twice" in capsys.readouterr().err


def test_the_step_summary_of_github(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    created()
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert called("check", "base.json") == 0
    assert Path("summary.md").read_text() == "before\n"  # only asked for with --format github
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    capsys.readouterr()
    assert called("check", "base.json", "--format", "github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("::error file=base.json,title=net on soc::dense: conv2 buffer energy ")
    summary = Path("summary.md").read_text()
    assert summary.startswith("before\n## 1 baseline checked: 0 hold, 1 moved\n")
    assert "| dense | conv2 | buffer | energy |" in summary
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert called("check", "base.json", "--format", "github") == 1


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    created()
    check = ("check", "base.json", "--format", "github")
    for name, reason in (("no/such/file", "No such file or directory"), (".", "Is a directory")):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", name)
        warning = f"energysim: warning: GITHUB_STEP_SUMMARY {name}: cannot be written: {reason}"
        capsys.readouterr()
        assert called(*check) == 0
        told = capsys.readouterr()
        assert told.err.splitlines() == [warning]
        assert told.out.startswith("::notice title=energysim check::1 baseline checked: 1 holds")
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    assert called(*check) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[0] == warning
    assert "numbers moved in 3 layers: the inputs changed" in told.err.splitlines()[1]
    assert told.out.startswith("::error file=base.json,")
    assert called(*check, "-o", "no/such/file") == 2  # a file that was asked for
    assert "no/such/file: cannot be written" in capsys.readouterr().err


def test_results_in_files(here: Path) -> None:
    created()
    for name, options, start in (
        ("a.json", (), "{"),
        ("a.md", (), "## 1 baseline"),
        ("a.xml", ("--format", "junit"), "<?xml"),
        ("a.txt", (), "1 baseline"),
    ):
        assert called("check", "base.json", "-o", name, *options) == 0
        assert Path(name).read_text().startswith(start)


def test_baselines_follow_the_values_of_the_zoo(here: Path) -> None:
    """A baseline of a name of the zoo is the same wherever it is made."""
    assert called("baseline", "create", "digits_cnn", "-s", "psconv", "-o", "one.json") == 0
    assert called("baseline", "create", "digits_cnn", "-s", "psconv", "-o", "deep/two.json") == 0
    assert read_baseline(Path("one.json")) == read_baseline(Path("deep/two.json"))
