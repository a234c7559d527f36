"""Baselines that cannot be checked: told in every format, and the others are checked all the same."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from energysim.regression import check_all, checking

from .small import called, created, edit, flat, project

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a baseline of its network."""
    monkeypatch.chdir(tmp_path)
    project(tmp_path)
    created()
    return tmp_path / "base.json"


@pytest.fixture
def broken(net: Path) -> tuple[str, ...]:
    """Baselines to check: one whose numbers moved, and all ways in which one cannot be checked."""
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    Path("bad.json").write_text("{")
    Path("folder.json").mkdir()
    Path("folder.json", "inner.json").mkdir()
    Path("lost.json").write_text(net.read_text().replace('"net.py"', '"nets.py"'))
    Path("empty").mkdir()
    return ("gone.json", "bad.json", "base.json", "folder.json", "lost.json", "empty", "bad.json/x.json")


BROKEN = {
    "gone.json": "gone.json: no such baseline; create it: energysim baseline create ",
    "bad.json": "bad.json: not a baseline: ",
    "folder.json/inner.json": "folder.json/inner.json: cannot be read: Is a directory",
    "lost.json": "lost.json: its model file nets.py is not there; did you mean 'net.py'?",
    "empty": "empty: no baseline (*.json) in this folder; create it: energysim baseline create ",
    "bad.json/x.json": "bad.json/x.json: no such baseline; ",
}


def test_what_cannot_be_checked_is_told_in_every_format(
    net: Path, broken: tuple[str, ...], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    told = {}
    for form in ("table", "markdown", "json", "junit", "github"):
        capsys.readouterr()
        assert called("check", *broken, "--format", form) == 2
        found = capsys.readouterr()
        told[form] = found.out
        lines = found.err.removeprefix("energysim: ").splitlines()
        assert len(lines) == len(BROKEN)
        assert all(line.startswith(text) for line, text in zip(lines, BROKEN.values(), strict=True))
    entries = {entry["baseline"]: entry for entry in json.loads(told["json"])["baselines"]}
    assert list(entries) == ["gone.json", "bad.json", "base.json", *list(BROKEN)[2:]]
    assert {name for name, entry in entries.items() if "error" in entry} == set(BROKEN)
    assert all(entries[name]["error"].startswith(text) for name, text in BROKEN.items())
    assert entries["base.json"]["cause"] == "inputs"
    suite = ElementTree.fromstring(told["junit"])[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "1", "6")
    errors = {case.get("name"): case[0].get("message", "") for case in suite if case[0].tag == "error"}
    assert all(errors[name].startswith(text) for name, text in BROKEN.items())
    assert [case.get("name") for case in suite if case[0].tag == "failure"] == ["base.json"]
    annotations = told["github"].splitlines()
    for line, (name, text) in zip(annotations, BROKEN.items(), strict=False):
        assert line.startswith(f"::error file={name},title=energysim check::{text}")
    assert annotations[len(BROKEN)].startswith("::error file=base.json,title=net on soc::")
    assert annotations[-1].startswith(
        "::error title=energysim check::7 baselines checked: 0 hold, 1 moved, 6"
    )
    for text in (told["table"], told["markdown"], Path("summary.md").read_text()):
        plain = flat(text).replace("\\", "")  # markdown escapes
        assert "7 baselines checked: 0 hold, 1 moved, 6 cannot be checked" in plain
        assert "levels.buffer.read: 6 pJ -> 7 pJ" in plain
        assert all(error[:60] in plain for error in BROKEN.values())


def test_files_are_written_even_if_nothing_can_be_checked(net: Path, capsys: Capture) -> None:
    for name, form in (("a.txt", "table"), ("a.md", "markdown"), ("a.json", "json"), ("a.xml", "junit")):
        assert called("check", "base.json", "-o", name, "--format", form) == 0
        assert called("check", "gone.json", "-o", name, "--format", form) == 2
        assert "gone.json: no such baseline" in Path(name).read_text()


def test_a_tolerance_may_be_meant_for_what_cannot_be_checked(net: Path, capsys: Capture) -> None:
    assert called("check", "base.json", "gone.json", "-t", "features.conv:macs=-1%..+1%") == 2
    told = capsys.readouterr()
    assert "2 baselines checked: 1 holds, 1 cannot be checked" in told.out
    assert told.err.startswith("energysim: gone.json: no such baseline")


def test_a_file_that_may_not_be_looked_at(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file system says of one file, the others are checked."""

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "net.py")

    long = Path("n" * 300 + ".json")
    found = check_all([long, net])
    assert [result.passed for result in found] == [False, True]
    assert found[0].error == f"{long}: cannot be read: File name too long"
    monkeypatch.setattr(checking, "take", refused)
    (result,) = check_all([net])
    assert result.error == f"{net}: Permission denied: net.py"


def test_one_bad_file_does_not_hide_the_others(net: Path, capsys: Capture) -> None:
    Path("bad.json").write_text("{")
    edit(Path("soc.yaml"), "read: {value: 6 pJ", "read: {value: 7 pJ")
    capsys.readouterr()
    assert called("check", "bad.json", "base.json") == 2
    told = capsys.readouterr()
    assert "2 baselines checked: 0 hold, 1 moved, 1 cannot be checked" in flat(told.out)
    assert "levels.buffer.read: 6 pJ -> 7 pJ" in told.out
    assert "bad.json: not a baseline" in told.err


def test_programs_are_told_of_bad_files_too(net: Path, capsys: Capture) -> None:
    """Of an older run nothing may be left that says that all is well."""
    Path("bad.json").write_text("{")
    assert called("check", "base.json", "--format", "junit", "-o", "results.xml") == 0
    assert called("check", "bad.json", "--format", "junit", "-o", "results.xml") == 2
    assert 'failures="0" errors="1"' in Path("results.xml").read_text()
    capsys.readouterr()
    assert called("check", "bad.json", "--format", "github") == 2
    assert capsys.readouterr().out.startswith("::error file=bad.json,")
    assert called("check", "bad.json", "--format", "json") == 2
    assert json.loads(capsys.readouterr().out)["passed"] is False
