"""docs/torch.md: its code runs, and does what the text says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import energysim as es
from energysim.cli import cli

pytestmark = pytest.mark.torch

DOC = (Path(__file__).resolve().parents[2] / "docs" / "torch.md").read_text("utf-8")


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.filterwarnings("ignore")
def test_the_code_shown_runs_and_the_file_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    training, estimating = fences("python")
    names: dict[str, Any] = {}
    capsys.readouterr()
    exec(training, names)
    assert fences("text")[0] in capsys.readouterr().out
    assert [int(n) for n in re.findall(r"# (\d)$", training, re.MULTILINE)] == [1, 2, 3, 4, 5]

    layers = json.loads(run("inspect", "net.onnx", "--format", "json"))["layers"]
    recognised = {layer["layer"]: layer["periodic"] and layer["periodic"]["scheme"] for layer in layers}
    assert recognised == {"0": None, "2": "psconv:PSD4_P8", "5": "psconv:PSD4_P8", "9": None}
    exact = [layer["periodic"]["exact"] for layer in layers if layer["periodic"]]
    assert exact == [True, True]

    exec(estimating, names)
    dense, sparse = names["report"].runs
    assert sparse.scheme == "psconv:PSD4_P8"
    assert sum(row.macs for row in sparse.layers) < sum(row.macs for row in dense.layers)
    assert set(names["weights"]) >= {"0.weight", "2.weight", "5.weight", "9.weight"}
    mask = names["weights"]["2.weight"] != 0
    assert mask.sum() == 2368
    assert np.array_equal(names["net"][2].weight.detach().numpy() != 0, mask)

    _, found = es.estimate("net.onnx", "auto").runs
    assert [row.macs for row in found.layers] == [row.macs for row in sparse.layers]


def test_the_commands_shown_exist() -> None:
    for line in "".join(fences("sh")).splitlines():
        words = line.split()
        if words[0] == "energysim":
            assert run(words[1], "--help")
