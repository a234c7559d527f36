"""A network small enough for a sheet of paper, in files of its own, and the program run on it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from energysim.cli import main
from energysim.regression import Baseline, read_baseline
from energysim.resources import data_folder

NET = """
from energysim import GraphBuilder


def build(input=(2, 8, 8), classes=10):
    b = GraphBuilder("net", input)
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv1"), name="relu1")
    x = b.relu(b.conv(x, 8, 3, padding=1, name="conv2"), name="relu2")
    return b.build(b.linear(b.flatten(x, name="flat"), classes, name="fc"))
"""


def project(folder: Path) -> None:
    """A user's project: net.py, and soc.yaml, which is teaching under another name."""
    (folder / "net.py").write_text(NET)
    text = (data_folder("hwspecs") / "teaching.yaml").read_text("utf-8")
    (folder / "soc.yaml").write_text(text.replace("name: teaching", "name: soc"))


def edit(path: Path, old: str, new: str) -> None:
    """Replace the only occurrence of a text in a file."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (old, text.count(old))
    path.write_text(text.replace(old, new), "utf-8")


def called(*arguments: str) -> int:
    """Run the program in this process; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def created(*options: str, model: str = "net.py", name: str = "base.json") -> Baseline:
    """A baseline of the small network as the program makes it."""
    assert called("baseline", "create", model, "-w", "soc.yaml", "-o", name, *options) == 0
    return read_baseline(Path(name))


def gate(capture: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code of a check of the baseline, and what it says of it."""
    capture.readouterr()
    code = called("check", "base.json", "--format", "json", *options)
    (found,) = json.loads(capture.readouterr().out)["baselines"]
    return code, found


def flat(text: str) -> str:
    """A text on one line, spaces as one."""
    return re.sub(r"\s+", " ", text)
