"""``energysim footprint``."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.errors import EnergysimError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["footprint", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_forms_tell_the_same() -> None:
    """One layer by hand: 64 channels of 32x32, 3x3, padding 1, density 0.3."""
    data = json.loads(run("resnet18-cifar10", "--density", "0.3", "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(run("resnet18-cifar10", "--density", "0.3", "--format", "csv"))))
    assert len(rows) == len(data["rows"]) == 20
    assert data["widths"] == {"value": 8, "index": 16, "pointer": 32} and data["left"] == []
    (row,) = [row for row in data["rows"] if row["layer"] == "layer1.0.conv1"]
    assert row["im2col_words"] == 64 * 32 * 32 * 9
    assert row["mec_words"] == 64 * 32 * 34 * 3
    nonzeros = 64 * 1024 * 3  # tenths
    assert row["cpo_words"] == -(-2 * nonzeros // 10) + 64 * (3 + 2 * 33)
    assert row["cpo_bits"] == -(-24 * nonzeros // 10) + 32 * 64 * (3 + 2 * 33)
    (same,) = [row for row in rows if row["layer"] == "layer1.0.conv1"]
    assert {key: str(value) for key, value in row.items()} == same
    table = run("resnet18-cifar10", "--density", "0.3")
    assert "layer4.1.conv2" in table and "largest" in table
    assert "| layer1.0.conv1 |" in run("resnet18-cifar10", "--density", "0.3", "--format", "markdown")


def test_totals_are_of_all_layers() -> None:
    rows = json.loads(run("vgg16-cifar10", "--density", "1", "--widths", "8", "--format", "json"))["rows"]
    largest, whole = max(r["im2col_bits"] for r in rows), sum(r["im2col_bits"] for r in rows)
    table = run("vgg16-cifar10", "--density", "1", "--widths", "8").splitlines()
    shown = {line.split()[0]: float(line.split()[1]) for line in table if line.startswith(("sum", "largest"))}
    assert abs(shown["largest"] * 1e6 - largest) <= 5e3 and abs(shown["sum"] * 1e6 - whole) <= 5e3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--density", "1.5"], "a density is a number from 0 to 1, not '1.5'"),
        (["--density", "-0.5"], "a density is a number from 0 to 1, not '-0.5'"),
        ([], "footprint needs --density"),
        (["--density", "0.3", "--activations", "0.3"], "give one of them"),
        (["--density", "0.3", "--widths", "valu=8"], "did you mean 'value'?"),
        (["--activations", "conv9=0.3"], "has no tensor 'conv9'"),
    ],
)
def test_messages(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["footprint", "resnet18-cifar10", *arguments])
    assert isinstance(result.exception, EnergysimError)
    assert message in str(result.exception)
