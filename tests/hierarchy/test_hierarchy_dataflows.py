"""Dataflow presets: the constraints they set, and what the best mapping under each then moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy import HierarchyModel
from energysim.errors import SpecError
from energysim.hardware import load_hardware
from energysim.hardware.dataflows import DATAFLOWS
from energysim.hardware.hierarchy import DIMENSIONS, HierarchyHardware
from energysim.mapping import Rules

from .base import conv
from .test_hierarchy_timeloop import work

ARRAY = """\
schema: energysim-hardware/1
name: array
extends: teaching
cost_model: hierarchy
dataflow: {flow}
array: null
levels:
  - name: dram
    word_bits: 16
    read: {{value: 200 pJ, source: isca, kind: published}}
    write: {{value: 200 pJ, source: isca, kind: published}}
  - name: buffer
    word_bits: 16
    read: {{value: 6 pJ, source: isca, kind: published}}
    write: {{value: 6 pJ, source: isca, kind: published}}
    keep: [weights, inputs, outputs]
  - name: rf
    capacity: {{value: 2 B, kind: assumed, note: for a test}}
    word_bits: 16
    read: {{value: 1 pJ, source: isca, kind: published}}
    write: {{value: 1 pJ, source: isca, kind: published}}
{rf}
axes:
  - {{name: X, below: buffer, size: {{value: 4, kind: assumed, note: for a test}}}}
  - {{name: Y, below: buffer, size: {{value: 8, kind: assumed, note: for a test}}}}
"""


def loaded(folder: Path, flow: str, rf: str = "") -> HierarchyHardware:
    path = folder / "array.yaml"
    path.write_text(ARRAY.format(flow=flow, rf=rf))
    found = load_hardware(path)
    assert isinstance(found, HierarchyHardware)
    return found


@pytest.mark.parametrize("flow", DATAFLOWS)
def test_constraints(flow: str, tmp_path: Path) -> None:
    hierarchy = loaded(tmp_path, flow).hierarchy
    columns, rows = hierarchy.axes
    buffer, rf = hierarchy.levels[1:]
    assert buffer.loops == DIMENSIONS
    assert {
        "free": (DIMENSIONS, DIMENSIONS, DIMENSIONS, ()),
        "row-stationary": ("QM", "SCM", "RCM", ()),
        "weight-stationary": ("M", "CRS", "NPQ", ("weights",)),
        "output-stationary": ("M", "NPQ", "CRS", ("outputs",)),
        "input-stationary": ("NPQ", "CRS", "M", ("inputs",)),
        "nvdla-like": ("M", "C", "NPQ", ("weights",)),
    }[flow] == (columns.loops, rows.loops, rf.loops, rf.keep)


def test_what_the_specification_states_stands(tmp_path: Path) -> None:
    hierarchy = loaded(tmp_path, "weight-stationary", "    loops: [N]\n    keep: [inputs]").hierarchy
    assert (hierarchy.levels[2].loops, hierarchy.levels[2].keep) == ("N", ("inputs",))


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"dataflow: .*weight-stationery"):
        loaded(tmp_path, "weight-stationery")
    path = tmp_path / "one.yaml"
    text = ARRAY.format(flow="nvdla-like", rf="")
    path.write_text("\n".join(line for line in text.split("\n") if "name: Y" not in line))
    with pytest.raises(SpecError, match=r"nvdla-like is written for arrays of two axes.*has 1"):
        load_hardware(path)


def reads(cost: LayerCost, level: str, tensor: str) -> int:
    return sum(a.elements for a in cost.accesses if (a.level, a.tensor, a.action) == (level, tensor, "read"))


def best(hardware: HierarchyHardware) -> LayerCost:
    """8 filters of 4 channels x 3 x 3 on 6 x 6 outputs: 36 products a sum, 4 x 8 multipliers."""
    setting = Setting(hardware, Rules(tiles="divisors", padding="fetched"), "energy", 16, 16, 16)
    (cost,) = HierarchyModel().evaluate((work(conv(8, 4, 6)),), setting)
    assert cost.optimal
    return cost


def test_weight_stationary(tmp_path: Path) -> None:
    cost = best(loaded(tmp_path, "weight-stationary"))
    # Every weight goes into the array once, to stay there while all outputs pass.
    assert reads(cost, "buffer", "weights") == 8 * 36
    # 36 = 6 x 6 products of a sum on 6 rows: each input is read for 2 groups of 4 filters.
    assert reads(cost, "buffer", "inputs") == 36 * 36 * 2
    updates = sum(a.elements for a in cost.accesses if (a.level, a.action) == ("buffer", "update"))
    assert updates == 8 * 36 * 6


def test_output_stationary(tmp_path: Path) -> None:
    cost = best(loaded(tmp_path, "output-stationary"))
    # A sum leaves the array once, complete; nothing comes back.
    updates = sum(a.elements for a in cost.accesses if (a.level, a.action) == ("buffer", "update"))
    assert updates == 8 * 36 and reads(cost, "buffer", "partial_sums") == 0
    # 36 outputs of a plane on 6 of 8 rows: weights for each of 6 groups, inputs for each of 2 x 4 filters.
    assert reads(cost, "buffer", "weights") == 8 * 36 * 6
    assert reads(cost, "buffer", "inputs") == 36 * 36 * 2


def test_input_stationary(tmp_path: Path) -> None:
    cost = best(loaded(tmp_path, "input-stationary"))
    # Each product's input goes into the array once for all filters.
    assert reads(cost, "buffer", "inputs") == 36 * 36
    # Weights pass for each of 9 groups of 2 x 2 outputs, on 4 columns.
    assert reads(cost, "buffer", "weights") == 8 * 36 * 9


def test_nvdla_like(tmp_path: Path) -> None:
    cost = best(loaded(tmp_path, "nvdla-like"))
    assert reads(cost, "buffer", "weights") == 8 * 36
    # 4 channels x 4 kernels a cycle: 36 outputs x 9 taps x 2 groups of kernels.
    assert dict(cost.times)["compute"] == 36 * 9 * 2
    assert reads(cost, "buffer", "inputs") == 36 * 9 * 2 * 4
