"""The addresses that an explicit two-level mapping sends to DRAM, and what they find there.

Rules, all assumed:

* The tensors of a layer lie one behind the other, each from the start of a row: tables of the
  weights' format, weights, inputs, outputs, partial sums (accumulators, laid out as the outputs).
* Weights lie in the order in which the loops first visit their tiles; of a kernel that is not
  dense, the bits are shared out evenly over the tiles. Computed tensors lie as their shape says
  (:mod:`energysim.mapping.dram_layout`).
* A step of the loops first writes the output tile that it replaces, then reads weights, inputs and
  returning partial sums, as far as the buffer lacks them.
* Each of these is a transfer of its own, in ascending order of addresses: a burst is moved once in a
  transfer however many of its bytes are wanted. Another transfer moves it again, unless it begins with
  the burst with which the last one of the same kind ended: each kind keeps one burst.
* A row stays open from one transfer to the next until its bank needs another (policy ``open``).
  Rows that a refresh closes are not opened again here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.dram_places import DramTensors, Key, Places
from energysim.mapping.dram_transfer import DramSizes, Transfer
from energysim.mapping.nest import DIMENSIONS, Tiling
from energysim.mapping.row_buffers import RowBuffers
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["INPUTS", "OUTPUTS", "RIGHT", "SUMS_IN", "SUMS_OUT", "Commands", "commands", "told"]

#: Rows visited before the state of the banks is worked out.
_CHUNK = 1 << 18
#: What a transfer belongs to.
_LABELS = (("right", "read"), ("inputs", "read"), ("outputs", "write"), ("sums", "write"), ("sums", "read"))
RIGHT, INPUTS, OUTPUTS, SUMS_OUT, SUMS_IN = range(5)


@dataclass(frozen=True)
class Commands:
    """What a DRAM is told to do.

    Attributes
    ----------
    bursts, activations : dict of (str, str) to int
        By what is moved (``right``, ``inputs``, ``outputs``, ``sums``) and ``read`` or ``write``.
    input_elements : int
        Elements of the inputs that were read, as a check.
    """

    bursts: dict[tuple[str, str], int]
    activations: dict[tuple[str, str], int]
    input_elements: int


def commands(
    nest: LoopNest, tiling: Tiling, rules: Rules, tensors: DramTensors, sizes: DramSizes
) -> Commands:
    """Return the bursts of a mapping and the rows it opens.

    Raises
    ------
    ValueError
        If the tiling is none of this loop nest.
    CapacityError
        If the tensors of the layer take more than the DRAM has.
    """
    return told(_transfers(Places(nest, tiling, rules, tensors, sizes)), sizes)


def told(transfers: Iterable[tuple[int, Transfer]], sizes: DramSizes) -> Commands:
    """Return what a DRAM does for transfers in order, each with the number of what it belongs to."""
    banks = RowBuffers(sizes.banks, sizes.rows, interleaved=sizes.interleaved)
    bursts, opened = [0] * len(_LABELS), np.zeros(len(_LABELS), dtype=np.int64)
    held = [-1] * len(_LABELS)
    waiting: list[IntArray] = []
    labels: list[int] = []
    elements = rows = 0

    def settle() -> None:
        if waiting:
            whose = np.repeat(labels, [len(numbers) for numbers in waiting])
            found = banks.visit(np.concatenate(waiting))
            opened[:] += np.bincount(whose[found > 0], minlength=len(_LABELS))
            waiting.clear()
            labels.clear()

    for label, moved in transfers:
        elements += moved.elements if label == INPUTS else 0
        if not moved.bursts:
            continue
        count, numbers = moved.behind(held[label])
        held[label] = moved.last
        bursts[label] += count
        waiting.append(numbers)
        labels.append(label)
        rows += len(numbers)
        if rows > _CHUNK or len(waiting) > _CHUNK:
            settle()
            rows = 0
    settle()
    return Commands(
        dict(zip(_LABELS, bursts, strict=True)), dict(zip(_LABELS, map(int, opened), strict=True)), elements
    )


def _transfers(places: Places) -> Iterator[tuple[int, Transfer]]:
    """Yield what passes, in order."""
    nest, trips, order = places.nest, places.trips, places.tiling.order
    outer = order[::-1]
    at = [outer.index(dim) for dim in DIMENSIONS]
    sweep = next((dim for dim in order if dim != "M" and trips[dim] > 1), "")
    keeps = sweep in tuple("PQ") and places.rules.overlap == "one-axis"
    zeros = places.rules.first_read == "counted"
    channel, last = 0, trips["C"] - 1
    done = 0  # finished outputs
    weights: Key = ()
    inputs: Key = ()
    outputs: Key = ()
    yield RIGHT, places.tables()
    for group in range(nest.groups):
        for step in product(*(range(trips[dim]) for dim in outer)):
            n, m, c, p, q = (step[place] for place in at)
            arrives = outputs != (group, n, m, p, q)
            if arrives and outputs:
                if channel == last:
                    moved = places.finished(outputs, done)
                    done += moved.elements
                    yield OUTPUTS, moved
                else:
                    yield SUMS_OUT, places.sums(outputs)
            if weights != (group, m, c):
                weights = (group, m, c)
                yield RIGHT, places.right(weights)
            if inputs != (group, n, c, p, q):
                follows = keeps and _next(inputs, (group, n, c, p, q), "GNCPQ".index(sweep))
                inputs = (group, n, c, p, q)
                yield INPUTS, places.inputs(inputs, sweep if follows else "")
            if arrives:
                outputs = (group, n, m, p, q)
                if c or zeros:
                    yield SUMS_IN, places.sums(outputs)
            channel = c
    yield OUTPUTS, places.finished(outputs, done)


def _next(before: Key, now: Key, at: int) -> bool:
    """Whether a step went one forward along one loop and stayed along the others."""
    if not before or now[at] != before[at] + 1:
        return False
    return now[:at] == before[:at] and now[at + 1 :] == before[at + 1 :]
