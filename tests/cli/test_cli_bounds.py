"""``energysim bounds``."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner

from energysim.cli import cli
from energysim.errors import EnergysimError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["bounds", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_layers() -> None:
    rows = json.loads(run("vgg16-cifar10", "-w", "teaching", "-s", "psconv", "--format", "json"))["rows"]
    assert len({row["layer"] for row in rows}) == 14 and len(rows) == 28
    for row in rows:
        assert row["compulsory_bits"] <= row["dram_bound_bits"] <= row["dram_bits"]
        assert (row["limit"] == "compulsory") == (row["compulsory_bits"] == row["dram_bound_bits"])
        assert row["dram_over_bound"] == round(row["dram_bits"] / row["dram_bound_bits"], 6)


def test_table_ends_with_the_sum() -> None:
    text = run("vgg16-cifar10")
    assert "all MAC layers" in text and "sqrt(w_W w_I w_O / S)" in text


def test_the_larger_space_beside_it() -> None:
    given = ("vgg16-cifar10", "-w", "teaching", "--batch", "4", "--format", "json")
    plain, rows, asked = (
        json.loads(run(*given, *more))["rows"] for more in ((), ("--larger",), ("--rules", "larger"))
    )
    for one, row, other in zip(plain, rows, asked, strict=True):
        assert {name: row[name] for name in one} == one
        assert row["larger_dram_bits"] == other["dram_bits"] <= row["dram_bits"]
        assert row["larger_over_bound"] == other["dram_over_bound"] >= 1
    assert any(row["larger_dram_bits"] < row["dram_bits"] for row in rows)
    text = run("vgg16-cifar10", "-w", "teaching", "--larger")
    assert "residence=uneven" in text and "larger space" in text


def test_the_larger_space_against_the_size_of_the_buffer() -> None:
    text = run("resnet18-cifar10", "--capacities", "8KiB", "--larger", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert int(row["dram_bound_bits"]) <= int(row["larger_dram_bits"]) < int(row["dram_bits"])


def test_curve() -> None:
    text = run("resnet18-cifar10", "--capacities", "8KiB,64 KiB", "--layer", "conv1", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["capacity_bits"]) for row in rows] == [65536, 524288]
    assert int(rows[0]["dram_bits"]) >= int(rows[1]["dram_bits"]) >= int(rows[1]["dram_bound_bits"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--capacities", "3x"], "--capacities: '3x' has the unknown unit 'x'"),
        (["--capacities", "0 B"], "must be more than zero"),
        (["--layer", "conv1"], "--layer goes with --capacities"),
        (["--capacities", "all", "--layer", "con1"], "unknown layer 'con1'; did you mean 'conv1'?"),
        (["--capacities", "all", "--objective", "edp"], "leave --objective out"),
        (["--larger", "-w", "eyeriss168"], "are those of the cost model two-level"),
        (["--larger", "--rules", "timeloop"], "goes with 'untouched=skipped', not with 'untouched=fetched'"),
    ],
)
def test_messages(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["bounds", "resnet18-cifar10", *arguments])
    assert isinstance(result.exception, EnergysimError)
    assert message in str(result.exception)
