"""Sections of documents that show commands are run: commands and Python, in the order shown."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.resources import data_folder

DOCS = Path(__file__).resolve().parent.parent / "docs"


def sections() -> dict[str, str]:
    """All sections, by document and heading."""
    found = {}
    for path in sorted(DOCS.glob("*.md")):
        for part in re.split(r"(?m)^(?=## )", path.read_text("utf-8")):
            found[f"{path.name}: {part.partition(chr(10))[0].lstrip('# ')}"] = part
    return found


def fences(text: str) -> list[tuple[str, str]]:
    """Language and content of every block of commands or of Python."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


SECTIONS = {name: text for name, text in sections().items() if any(kind == "sh" for kind, _ in fences(text))}


@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_shown_runs(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of Python with a function ``build`` is the file my_net.py; others are executed."""
    if section.startswith("onnx.md"):
        pytest.importorskip("onnx", reason="ONNX files need the package onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, content in fences(SECTIONS[section]):
        if language == "python" and "def build(" in content:
            Path("my_net.py").write_text(content)
        elif language == "python":
            exec(content, names)
        else:
            for line in content.replace("\\\n", " ").splitlines():
                if re.search(r"--data digits\b", line):
                    pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
                if line.startswith("energysim "):
                    done = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
                    assert done.exit_code == 0, f"{line}\n{done.output}"


def test_accuracies_shown_are_those_recorded() -> None:
    record = json.loads((data_folder("models") / "digits_weights" / "accuracy.json").read_text("utf-8"))
    table = (
        (DOCS / "validate.md").read_text("utf-8").partition("<!-- accuracy -->")[2].partition("\n\nDiff")[0]
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "%" in line]
    assert {row[0] for row in rows} == set(record["schemes"])
    for scheme, *shares in (row[:4] for row in rows):
        percent = record["schemes"][scheme]["test_percent"]
        recorded = (percent[key] for key in ("mean", "least", "largest"))
        assert [float(share.rstrip(" %")) for share in shares] == [round(value, 2) for value in recorded]
