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

from .dram_replay import Banks, replay

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


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_commands_are_those_of_a_replay(data: st.DataObject) -> None:
    """Every bit of every element is sent to a row decoder, in the order of the loops."""
    some = st.integers(1, 3)
    few = st.integers(1, 2)
    nest = nest_of(*(data.draw(kind) for kind in (few, few, some, some, axes(), axes())))
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


def square(rows: int, cols: int, filters: int = 2, channels: int = 2) -> LoopNest:
    """A 1x1 convolution."""
    return nest_of(1, 1, filters, channels, Axis(rows, rows), Axis(cols, cols))


def counted(nest: LoopNest, tiles: tuple[int, ...], order: str, sizes: DramSizes, **widths: int) -> Commands:
    return commands(nest, Tiling(tiles, order), Rules(), tensors_of(nest, **widths), sizes)  # type: ignore[arg-type]


def test_equal_words_of_other_runs_are_other_bursts() -> None:
    """4x4 pixels of a byte, two channels, bursts of 4 bytes: half of the rows, or half of each row."""
    sizes = DramSizes(32, 128, 2, 100)
    nest = square(4, 4)
    by_rows = Tiling((1, 2, 2, 2, 4), "CMPQN")
    by_columns = Tiling((1, 2, 2, 4, 2), "CMPQN")
    rules = Rules()
    assert fetches(nest, by_rows, rules) == fetches(nest, by_columns, rules)
    whole = commands(nest, by_rows, rules, tensors_of(nest), sizes)
    cut = commands(nest, by_columns, rules, tensors_of(nest), sizes)
    # By rows: 2 channels x 4 rows of one burst. By columns each half row moves its whole burst.
    assert whole.bursts["inputs", "read"] == whole.bursts["outputs", "write"] == 8
    assert cut.bursts["inputs", "read"] == cut.bursts["outputs", "write"] == 16
    # Weights (4 bytes) lie in row 0, inputs in 1 and 2, outputs in 3 and 4; even rows in bank 0.
    # By rows, a transfer visits both rows of its tensor: 0; 1 2, 3 4, 1 2, 3 4.
    assert whole.activations == {
        ("right", "read"): 1,
        ("inputs", "read"): 4,
        ("outputs", "write"): 4,
        ("sums", "write"): 0,
        ("sums", "read"): 0,
    }
    assert cut.activations == whole.activations


def test_banks_that_do_not_meet_keep_their_rows() -> None:
    """The same, with a bank for each row: each is opened once; all rows in one bank: at every change."""
    nest, tiles, order = square(4, 4), (1, 2, 2, 2, 4), "CMPQN"
    apart = counted(nest, tiles, order, DramSizes(32, 128, 8, 100))
    together = counted(nest, tiles, order, DramSizes(32, 128, 8, 100, interleaved=False))
    assert sum(apart.activations.values()) == 5
    assert sum(together.activations.values()) == 9
    assert apart.bursts == together.bursts


def test_weights_that_follow_each_other_share_their_burst() -> None:
    """Four tiles of one weight byte each: a burst of 4 bytes is moved once in a pass, not four times."""
    nest = square(1, 1)
    found = counted(nest, (1, 1, 1, 1, 1), "CMPQN", DramSizes(32, 128, 2, 100))
    assert found.bursts["right", "read"] == 1
    # Two passes, one for each pixel: the second begins in the burst that the first has ended with.
    twice = counted(square(2, 1), (1, 1, 1, 1, 1), "CMPQN", DramSizes(32, 128, 2, 100))
    assert twice.bursts["right", "read"] == 1
    far = counted(square(2, 1, filters=4), (1, 1, 1, 1, 1), "CMPQN", DramSizes(32, 128, 2, 100))
    assert far.bursts["right", "read"] == 4


def test_channels_last_are_one_run() -> None:
    """A vector per row (linear layers): tiles of rows are runs, tiles of channels are not."""
    nest = nest_of(1, 1, 4, 8, Axis(4, 4), Axis(1, 1))
    sizes = DramSizes(32, 128, 8, 100)
    last = DramTensors(0, 256, None, Fraction(8), Fraction(8), 16, 32, inputs_last=True, outputs_last=True)
    by_rows = commands(nest, Tiling((1, 4, 8, 1, 1), "CMPQN"), Rules(), last, sizes)
    assert by_rows.bursts["inputs", "read"] == 8  # 4 rows of 8 bytes
    first = commands(nest, Tiling((1, 4, 8, 1, 1), "CMPQN"), Rules(), tensors_of(nest), sizes)
    assert first.bursts["inputs", "read"] == 32  # each row a byte of 8 channels of 4 bytes


def test_computed_right_hand_side_lies_as_a_matrix() -> None:
    """Rows of C, columns of M: 8 x 4 bytes; a tile of all rows and one column touches all bursts."""
    nest = nest_of(1, 1, 4, 8, Axis(1, 1), Axis(1, 1))
    tensors = DramTensors(0, 0, Fraction(8), Fraction(8), Fraction(8), 4, 32)
    sizes = DramSizes(32, 128, 8, 100)
    column = commands(nest, Tiling((1, 1, 8, 1, 1), "CMPQN"), Rules(), tensors, sizes)
    assert column.bursts["right", "read"] == 4 * 8
    row = commands(nest, Tiling((1, 4, 1, 1, 1), "MCPQN"), Rules(), tensors, sizes)
    assert row.bursts["right", "read"] == 8


def test_tables_come_first_and_once() -> None:
    nest = square(1, 1)
    tensors = DramTensors(40, 32, None, None, None, 2, 32)
    found = commands(nest, Tiling((1, 2, 2, 1, 1), "CMPQN"), Rules(), tensors, DramSizes(32, 64, 2, 100))
    # 40 bit are two bursts in row 0; the weights begin row 1. Nothing else passes through DRAM.
    assert found.bursts["right", "read"] == 3
    assert found.activations["right", "read"] == 2
    assert sum(found.bursts.values()) == 3
    assert found.input_elements == 2


def test_outputs_that_pooling_shrinks_are_written_one_behind_the_other() -> None:
    """16 results become 4: a byte for each tile of four, the burst of all four moved once."""
    nest = square(4, 4, filters=1, channels=1)
    tensors = DramTensors(0, 8, None, Fraction(8), Fraction(8), 4, 32)
    found = commands(nest, Tiling((1, 1, 1, 1, 4), "CMPQN"), Rules(), tensors, DramSizes(32, 128, 8, 100))
    assert found.bursts["outputs", "write"] == 1


def test_dram_too_small_for_a_layer() -> None:
    nest = square(4, 4)
    # Weights one row, inputs and outputs two each: five rows; there are four.
    with pytest.raises(CapacityError, match="take 5 rows of DRAM and there are 4"):
        counted(nest, (1, 2, 2, 4, 4), "CMPQN", DramSizes(32, 128, 2, 2))


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 31)), min_size=1, max_size=4))
def test_runs_are_those_of_the_elements(shape: list[tuple[int, int]]) -> None:
    sizes = [size for size, _ in shape]
    chosen = [np.array([i for i in range(size) if mask >> i & 1 or i == 0]) for size, mask in shape]
    everything = np.arange(int(np.prod(sizes))).reshape(sizes)
    wanted = everything[np.ix_(*chosen)].ravel().tolist()
    start, length = runs(chosen, sizes)
    found = [
        start + i
        for start, length in zip(start.tolist(), length.tolist(), strict=True)
        for i in range(length)
    ]
    assert found == wanted
    ends = (start + length)[:-1]
    assert len(chosen) > 1 or bool((ends < start[1:]).all())


def test_fractions_of_a_bit() -> None:
    """Elements of 3/4 bit: 0, 0, 1, 2 | 3 ..., the first without a bit of its own."""
    low, high = stored_bits(np.array([0, 1, 4]), np.array([1, 1, 4]), Fraction(3, 4))
    assert (low.tolist(), high.tolist()) == ([0, 3], [1, 6])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_units_of_ranges_are_counted_once(steps: list[tuple[int, int]]) -> None:
    """Ascending ranges that may begin in the unit in which the one before ended."""
    at, ranges = 0, []
    for gap, size in steps:
        ranges.append((at + gap, at + gap + size))
        at = ranges[-1][1]
    units = sorted({unit for first, last in ranges for unit in range(first, last + 1)})
    first, last = (np.array(ends) for ends in zip(*ranges, strict=True))
    assert spans(first, last).tolist() == units
    assert spanned(first, last) == len(units)


@given(st.lists(st.lists(st.integers(0, 11), max_size=9), max_size=4), st.integers(1, 4), st.booleans())
def test_open_rows_are_those_of_a_dictionary(visits: list[list[int]], banks: int, interleaved: bool) -> None:
    """State is kept from one call to the next."""
    rows, state = 12, {}
    buffers = RowBuffers(banks if interleaved else 12, rows, interleaved=interleaved)
    for numbers in visits:
        wanted = []
        for number in numbers:
            bank, row = (number % banks, number // banks) if interleaved else (number // rows, number % rows)
            wanted.append(int(state.get(bank) != row))
            state[bank] = row
        assert buffers.visit(np.array(numbers, dtype=np.int64)).tolist() == wanted
