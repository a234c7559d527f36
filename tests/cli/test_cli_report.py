"""``energysim report``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli, main
from energysim.report import Report
from energysim.report.page import render_page
from energysim.walker import estimate


def called(*arguments: str) -> int:
    """Run the program in this process; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(["report", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(scope="module")
def small() -> Report:
    return estimate("digits_cnn", "psconv")


@pytest.fixture
def saved(small: Report, tmp_path: Path) -> Path:
    small.save(tmp_path / "small.json")
    return tmp_path / "small.json"


def test_a_model_with_schemes_and_several_pieces_of_hardware(small: Report, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert called("digits_cnn", "-s", "psconv", "-o", str(path)) == 0
    assert path.read_text("utf-8") == render_page([small]) == small.to_html()
    assert called("digits_cnn", "-s", "psconv", "-w", "edge45, eyeriss,edge45", "-o", str(path)) == 0
    other = estimate("digits_cnn", "psconv", "eyeriss")
    assert path.read_text("utf-8") == render_page([small, other])


def test_a_file_of_hardware_may_have_commas(tmp_path: Path) -> None:
    path = tmp_path / "my,chip.yaml"
    path.write_text("schema: energysim-hardware/1\nextends: edge45\nname: mine\n")
    assert called("digits_cnn", "-w", str(path), "-o", str(tmp_path / "page.htm")) == 0
    assert "<h1>digits_cnn on mine</h1>" in (tmp_path / "page.htm").read_text("utf-8")


def test_finished_reports(small: Report, saved: Path, tmp_path: Path) -> None:
    other = estimate("digits_cnn", "psconv", "eyeriss")
    other.save(tmp_path / "other.json")
    result = CliRunner().invoke(cli, ["report", str(saved), str(tmp_path / "other.json")])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == render_page([small, other])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits_cnn", "-o", "page.json"), "page.json: a page is written as .html"),
        (("digits_cnn", "-o", "page"), "page: a page is written as .html"),
        (("digits_cnn", "-o", "no/such/page.html"), "there is no directory 'no/such'"),
        (("digits_cnn", "-o", "folder.html"), "folder.html: cannot be written: it is a directory"),
        (("digits_cmn", "-o", "page.html"), "did you mean 'digits_cnn'?"),
        (("digits_cnn", "-w", "edge45,eyeris", "-o", "page.html"), "did you mean 'eyeriss'?"),
        (("digits_cnn", "-w", "edge45,", "-o", "page.html"), "unknown hardware ''"),
        (("digits_cnn", "small.json", "-o", "page.html"), "not 'small.json' besides"),
        (("small.json", "digits_cnn", "-o", "page.html"), "digits_cnn: cannot be read: No such file"),
        (("small.json", "--batch", "2", "-o", "page.html"), "--batch is of an estimate"),
        (("small.json", "-s", "psconv", "-o", "page.html"), "--sparsity is of an estimate"),
        (("none.json", "-o", "page.html"), "none.json: cannot be read: No such file or directory"),
        (("list.json", "-o", "page.html"), "list.json: not a report of schema version 2"),
        (("half.json", "-o", "page.html"), "half.json: not a report: "),
        (("newer.json", "-o", "page.html"), "newer.json: not a report of schema version 2, but '99'"),
        (("bytes.json", "-o", "page.html"), "bytes.json: cannot be read: "),
        (
            ("small.json", "another.json", "-o", "page.html"),
            "different networks do not go on one page: digits_cnn",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_writes_nothing(
    arguments: tuple[str, ...],
    message: str,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    Path("list.json").write_text("[]")
    Path("half.json").write_text(saved.read_text()[:-500])
    Path("newer.json").write_text(json.dumps(json.loads(saved.read_text()) | {"schema_version": 99}))
    Path("bytes.json").write_bytes(b"\xff\xfe\x00{")
    estimate("vgg16-cifar10").save("another.json")
    if "page.html" in arguments:
        Path("page.html").write_text("old")
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert called(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("energysim: ") and told.err.count("\n") == 1
    assert message in told.err
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
