"""A DRAM and the loops of a mapping, one bit range of one element after the other. Shares no code.

Only for small layers with dense weights: everything is a Python set, a list or a dictionary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import ceil, floor

from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["Banks", "replay"]


@dataclass
class Banks:
    """A row decoder with one open row per bank."""

    burst_bits: int
    row_bits: int
    banks: int
    rows: int
    interleaved: bool = True
    open_row: dict[int, int] = field(default_factory=dict)
    bursts: Counter[str] = field(default_factory=Counter)
    activations: Counter[str] = field(default_factory=Counter)
    latest: dict[str, int] = field(default_factory=dict)

    def access(self, stream: str, burst: int) -> None:
        """Move one burst."""
        place = burst * self.burst_bits // self.row_bits
        bank, row = (
            (place % self.banks, place // self.banks)
            if self.interleaved
            else (place // self.rows, place % self.rows)
        )
        if self.open_row.get(bank) != row:
            self.open_row[bank] = row
            self.activations[stream] += 1
        self.bursts[stream] += 1

    def transfer(self, stream: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Move ranges of bits together: each burst once, and not the one that the stream had last."""
        wanted = sorted({bit // self.burst_bits for low, high in ranges for bit in range(low, high)})
        for burst in wanted:
            if burst != self.latest.get(stream):
                self.access(stream, burst)
            self.latest[stream] = burst


def needed(axis: Axis, first: int, end: int, padded: bool, spanned: bool) -> set[int]:
    """Input positions of the outputs first .. end-1; positions in the padding are negative or too large."""
    touched: set[Fraction] = set()
    for output in range(first, end):
        for tap in range(axis.window):
            if axis.transposed:
                touched.add(Fraction(output + axis.before - tap * axis.dilation, axis.stride))
            else:
                touched.add(Fraction(output * axis.stride + tap * axis.dilation - axis.before))
    found = {int(place) for place in touched if place.denominator == 1}
    if spanned:
        found = set(range(ceil(min(touched)), floor(max(touched)) + 1))
    if padded and not axis.transposed:
        return found
    return {position for position in found if 0 <= position < axis.inputs}


def steps(nest: LoopNest, tiles: dict[str, int], order: str) -> Iterator[dict[str, int]]:
    """First positions of all tiles, in the order of the loops; groups outermost."""
    sizes = {
        "N": nest.batch,
        "M": nest.filters,
        "C": nest.channels,
        "P": nest.rows.outputs,
        "Q": nest.cols.outputs,
    }
    outer = order[::-1]
    for group in range(nest.groups):
        for firsts in product(*(range(0, sizes[dim], tiles[dim]) for dim in outer)):
            yield {"G": group, **dict(zip(outer, firsts, strict=True))}


def replay(
    banks: Banks,
    nest: LoopNest,
    tiles: dict[str, int],
    order: str,
    weight_bits: int,
    input_bits: int,
    output_bits: int,
    sum_bits: int,
    *,
    padded: bool = False,
    spanned: bool = False,
    overlap: bool = True,
    zeros_read: bool = False,
) -> None:
    """Send all that a mapping moves to the banks."""
    n, g, m, c, p, q = (
        nest.batch, nest.groups, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs,
    )  # fmt: skip
    taps = nest.rows.window * nest.cols.window
    every = list(steps(nest, tiles, order))

    def stored(axis: Axis) -> tuple[int, int]:
        """Shift and length of an input axis in memory."""
        if not padded or axis.transposed:
            return 0, axis.inputs
        last = (axis.outputs - 1) * axis.stride + (axis.window - 1) * axis.dilation - axis.before
        return axis.before, axis.before + max(axis.inputs, last + 1)

    (down, height), (right, width) = stored(nest.rows), stored(nest.cols)

    def rows_of(bits: int) -> int:
        return -(-bits // banks.row_bits) * banks.row_bits

    visits = Counter((s["G"], s["N"], s["M"], s["P"], s["Q"]) for s in every)
    at_weights = 0
    at_inputs = at_weights + rows_of(g * m * c * taps * weight_bits)
    at_outputs = at_inputs + rows_of(n * g * c * height * width * input_bits)
    at_sums = at_outputs + rows_of(n * g * m * p * q * output_bits)

    def span(dim: str, at: int, size: int) -> range:
        return range(at, min(at + tiles[dim], size))

    # Weights: where each tile lies is where the loops first come to it.
    lies: dict[tuple[int, int, int], tuple[int, int]] = {}
    end = at_weights
    for step in every:
        key = step["G"], step["M"], step["C"]
        if key not in lies:
            count = len(span("M", step["M"], m)) * len(span("C", step["C"], c)) * taps * weight_bits
            lies[key] = end, end + count
            end += count

    def inputs(step: dict[str, int]) -> set[tuple[int, int, int, int]]:
        down_rows = needed(nest.rows, step["P"], min(step["P"] + tiles["P"], p), padded, spanned)
        columns = needed(nest.cols, step["Q"], min(step["Q"] + tiles["Q"], q), padded, spanned)
        return {
            (image, step["G"] * c + channel, y + down, x + right)
            for image in span("N", step["N"], n)
            for channel in span("C", step["C"], c)
            for y in down_rows
            for x in columns
        }

    def input_range(element: tuple[int, int, int, int]) -> tuple[int, int]:
        image, channel, y, x = element
        number = ((image * g * c + channel) * height + y) * width + x
        return at_inputs + number * input_bits, at_inputs + (number + 1) * input_bits

    def output_ranges(step: dict[str, int], base: int, bits: int) -> list[tuple[int, int]]:
        numbers = [
            ((image * g * m + step["G"] * m + f) * p + y) * q + x
            for image in span("N", step["N"], n)
            for f in span("M", step["M"], m)
            for y in span("P", step["P"], p)
            for x in span("Q", step["Q"], q)
        ]
        return [(base + number * bits, base + (number + 1) * bits) for number in numbers]

    sizes = {"N": n, "C": c, "P": p, "Q": q}
    looping = [dim for dim in order if dim in sizes and sizes[dim] > tiles[dim]]
    sweep = looping[0] if looping and looping[0] in "PQ" and overlap else None

    added: Counter[tuple[int, ...]] = Counter()
    before: dict[str, int] | None = None

    def leave(step: dict[str, int], key: tuple[int, ...]) -> None:
        channels = -(-c // tiles["C"])
        if added[key] == channels:
            banks.transfer("outputs write", output_ranges(step, at_outputs, output_bits))
        else:
            banks.transfer("sums write", output_ranges(step, at_sums, sum_bits))

    for step in every:
        tile = tuple(step[dim] for dim in "GNMPQ")
        last = None if before is None else tuple(before[dim] for dim in "GNMPQ")
        if before is not None and last is not None and last != tile:
            leave(before, last)
        if before is None or any(before[dim] != step[dim] for dim in "GMC"):
            banks.transfer("right read", [lies[step["G"], step["M"], step["C"]]])
        if before is None or any(before[dim] != step[dim] for dim in "GNCPQ"):
            fresh = inputs(step)
            if before is not None and sweep is not None:
                same = all(before[dim] == step[dim] for dim in "GNCPQ" if dim != sweep)
                if same and step[sweep] == before[sweep] + tiles[sweep]:
                    fresh -= inputs(before)
            banks.transfer("inputs read", [input_range(element) for element in fresh])
        if last != tile and (added[tile] or zeros_read):
            banks.transfer("sums read", output_ranges(step, at_sums, sum_bits))
        added[tile] += 1
        before = step
    assert before is not None
    leave(before, tuple(before[dim] for dim in "GNMPQ"))
    assert added == visits
