"""Addresses of mappings against a replay element by element, and against numbers by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energysim.errors import CapacityError
from energysim.kernels import DenseKernel
from energysim.mapping import Rules, Tiling, fetches
from energysim.mapping.dram_layout import runs, stored_bits
from energysim.mapping.dram_places import DramTensors
from energysim.mapping.dram_stream import Commands, commands
from energysim.mapping.dram_transfer import DramSizes
from energysim.mapping.row_buffers import RowBuffers, spanned, spans
from energysim.windows import Axis
from energysim.workload import LoopNest
from tests.cost.dram_replay import Banks, replay

STREAMS = ("right read", "inputs read", "outputs write", "sums write", "sums read")


def nest_of(batch: int, groups: int, filters: int, channels: int, rows: Axis, cols: Axis) -> LoopNest:
    kernel = DenseKernel((groups * filters, channels, rows.window, cols.window))
    return LoopNest(batch, groups, filters, channels, rows, cols, kernel)


def tensors_of(
    nest: LoopNest, weights: int = 8, inputs: int = 8, outputs: int = 8, sums: int = 32
) -> DramTensors:
    bits = nest.dense_macs // nest.positions * weights
    return DramTensors(0, bits, None, Fraction(inputs), Fraction(outputs), nest.output_elements, sums)


def by_stream(found: dict[tuple[str, str], int]) -> dict[str, int]:
    return {f"{what} {action}": count for (what, action), count in found.items()}


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    transposed = draw(st.booleans())
    window, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    inputs, before = draw(st.integers(3, 6)), draw(st.integers(0, 1))
    reach = (window - 1) * dilation
    if transposed:
        outputs = max(1, (inputs - 1) * stride - 2 * before + reach + 1)
    else:
        outputs = max(1, (inputs + 2 * before - reach - 1) // stride + 1)
    return Axis(outputs, inputs, window, stride, dilation, before, transposed)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_commands_are_those_of_a_replay(data: st.DataObject) -> None:
    """Every bit of every element is sent to a row decoder, in the order of the loops."""
    some = st.integers(1, 3)
    nest = nest_of(data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), data.draw(some), data.draw(some),
                   data.draw(axes()), data.draw(axes()))  # fmt: skip
    sizes = (nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs)
    tiles = tuple(data.draw(st.integers(1, size)) for size in sizes)
    tiling = Tiling(tiles, "".join(data.draw(st.permutations("NMCPQ"))))  # type: ignore[arg-type]
    rules = Rules(
        padding=data.draw(st.sampled_from(["skipped", "fetched"])),
        untouched=data.draw(st.sampled_from(["skipped", "fetched"])),
        overlap=data.draw(st.sampled_from(["one-axis", "none"])),
        first_read=data.draw(st.sampled_from(["elided", "counted"])),
    )
    burst = data.draw(st.sampled_from([8, 16, 64]))
    row = burst * data.draw(st.sampled_from([1, 2, 4]))
    banks, interleaved = data.draw(st.integers(1, 4)), data.draw(st.booleans())
    bits = [data.draw(st.sampled_from([1, 4, 8, 16])) for _ in range(3)] + [24]
    found = commands(
        nest, tiling, rules, tensors_of(nest, *bits), DramSizes(burst, row, banks, 10**5, interleaved)
    )
    simulated = Banks(burst, row, banks, 10**5, interleaved)
    replay(
        simulated,
        nest,
        dict(zip("NMCPQ", tiles, strict=True)),
        tiling.order,
        *bits,
        padded=rules.padding == "fetched",
        spanned=rules.untouched == "fetched",
        overlap=rules.overlap == "one-axis",
        zeros_read=rules.first_read == "counted",
    )
    assert by_stream(found.bursts) == {name: simulated.bursts[name] for name in STREAMS}
    assert by_stream(found.activations) == {name: simulated.activations[name] for name in STREAMS}
    assert found.input_elements == fetches(nest, tiling, rules).input_elements
