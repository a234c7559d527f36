"""Compact paths of plain NumPy for periodic kernels, on packed weights.

Filters f = phi (mod P) form a class, channels c = g (mod P) too; a filter of class phi keeps for a
channel of class g the taps of slot (phi + g + 1) mod P. On the flat layout both classes are strided
views. With n columns of a tile:

``run``      the channels of a tile are copied class by class, twice over (2C rows): the classes that
             keep a tap for phi then form few contiguous ranges of rows even where they wrap around,
             and each is one product that adds to the output
``pair``     no copy: one product for each class of filters, tap and class of channels
``scatter``  one product per class of channels for all its filters and taps; results are added to the
             output, shifted by the tap
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import numpy as np

from energysim.inference.fast.blas import gemm_call
from energysim.inference.fast.dense import tiles
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import Array, window
from energysim.inference.fast.path import Buffers, Call, Path, Walk, epilogue
from energysim.kernels import IntArray, PeriodicKernel

__all__ = ["Pair", "Run", "Scatter", "cyclic_runs"]

#: Floats that a tile touches. Many small products: what one call costs counts more than the nearest cache.
_TILE = 1 << 21
#: With copies of the tile besides.
_COPIED = 1 << 19
_NARROWEST = 192


def cyclic_runs(members: list[bool]) -> list[tuple[int, int]]:
    """Return the maximal runs of True around a circle: (first, length) pairs.

    >>> cyclic_runs([True, False, True, True])
    [(2, 3)]
    """
    count = len(members)
    if all(members):
        return [(0, count)]
    starts = [i for i in range(count) if members[i] and not members[i - 1]]
    found = []
    for start in starts:
        length = 0
        while members[(start + length) % count]:
            length += 1
        found.append((start, length))
    return found


class _Periodic(Path):
    """What the three have in common: slots, and the sizes of the classes of channels."""

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        kernel = conv.kernel
        assert isinstance(kernel, PeriodicKernel)
        self.period = kernel.period
        self.slots = kernel.slots
        #: Parts of the index table: (class of filters, tap, first class of channels, how many, weights).
        self.parts: list[tuple[int, int, int, int, Array]] = []
        self._pack()

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return isinstance(conv.kernel, PeriodicKernel) and conv.geometry.groups == 1

    @property
    def packed(self) -> tuple[Array, ...]:
        return tuple(part[4] for part in self.parts)

    def _residues(self, first: int, length: int) -> IntArray:
        """Channels of ``length`` classes from class ``first`` on, around the circle, class by class."""
        channels = self.conv.geometry.channels
        classes = [(first + i) % self.period for i in range(length)]
        return np.concatenate([np.arange(g, channels, self.period) for g in classes])

    def _keeps(self, phi: int, tap: int) -> list[bool]:
        """Which classes of channels keep a tap for filters of class phi."""
        return [tap in self.slots[(phi + g + 1) % self.period] for g in range(self.period)]

    def _pack(self) -> None:
        weights = self.conv.weights.reshape(*self.conv.weights.shape[:2], -1)
        for phi in range(min(self.period, self.conv.geometry.filters)):
            for tap in range(weights.shape[2]):
                for first, length in self._runs(self._keeps(phi, tap)):
                    channels = self._residues(first, length)
                    if len(channels):
                        packed = np.ascontiguousarray(weights[phi :: self.period][:, channels, tap])
                        self.parts.append((phi, tap, first, length, packed))

    def _runs(self, members: list[bool]) -> list[tuple[int, int]]:
        return cyclic_runs(members)

    @property
    def _span(self) -> int:
        """Floats between the first and the last tap, where all are inside one phase."""
        return int(self.conv.operand.taps.max() - self.conv.operand.taps.min())

    @property
    def _width(self) -> int:
        g = self.conv.geometry
        return max(_NARROWEST, _TILE // (g.channels + g.filters))

    def _outputs(self, to: Buffers, image: int, start: int, stop: int) -> tuple[Array, Array | None]:
        place = slice(self.conv.geometry.target.head + start, self.conv.geometry.target.head + stop)
        residual = None if to.residual is None else to.residual[image, :, place]
        return to.target[image, :, place], residual

    @abstractmethod
    def _tile(self, base: Array, space: Array, out: Array, start: int) -> list[Call]:
        """The functions for one tile; the output holds the bias already."""

    def bind(self, to: Buffers) -> list[Call]:
        bias = self.conv.bias.reshape(-1, 1)
        cut = tiles(self.conv.operand.run, self._width)
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            own = to.share.of(len(cut))
            calls += load if own else []
            for start, stop in cut[own.start : own.stop]:
                out, residual = self._outputs(to, image, start, stop)
                calls.append(partial(np.copyto, out, bias))
                calls += self._tile(base, to.space[self.operand_floats :], out, start)
                calls += epilogue(self.conv, out, None, residual)
        return calls

    def walks(self) -> tuple[Walk, ...]:
        found = []
        for phi, tap, first, length, packed in self.parts:
            filters = np.arange(phi, self.conv.geometry.filters, self.period)
            channels = self._residues(first, length)
            taps = np.full(packed.shape[1], tap, dtype=np.int64)
            found.append(Walk(filters, channels, taps, self.conv.operand.run, len(filters)))
        return tuple(found)


class Pair(_Periodic):
    """One product for each class of filters, tap and class of channels; nothing is copied."""

    name = "pair"

    def _runs(self, members: list[bool]) -> list[tuple[int, int]]:
        return [(g, 1) for g, kept in enumerate(members) if kept]

    @property
    def scratch(self) -> int:
        return self.operand_floats

    def _tile(self, base: Array, space: Array, out: Array, start: int) -> list[Call]:
        operand, calls = self.conv.operand, []
        for phi, tap, g, _, packed in self.parts:
            shape = packed.shape[1], out.shape[1]
            first = g * operand.channel + int(operand.taps[tap]) + start
            taken = window(base, first, shape, (self.period * operand.channel, 1))
            calls.append(gemm_call(packed, taken, out[phi :: self.period], add=True))
        return list(calls)


class Run(_Periodic):
    """Channels class by class, twice over; few long products. See the module."""

    name = "run"

    @property
    def _width(self) -> int:
        g = self.conv.geometry
        return max(_NARROWEST, _COPIED // (2 * g.channels + g.filters))

    @property
    def _phases(self) -> list[int]:
        """Which plane of the operand each tap reads."""
        operand, channels = self.conv.operand, self.conv.geometry.channels
        size = channels * operand.channel
        return [int(t) // size if operand.phases else 0 for t in operand.taps]

    def _extents(self) -> dict[int, tuple[int, int]]:
        """First and last tap offset of every phase that is used."""
        found: dict[int, tuple[int, int]] = {}
        for phase, tap in zip(self._phases, self.conv.operand.taps.tolist(), strict=True):
            low, high = found.get(phase, (tap, tap))
            found[phase] = min(low, tap), max(high, tap)
        return found

    @property
    def scratch(self) -> int:
        width = max(stop - start for start, stop in tiles(self.conv.operand.run, self._width))
        rows = 2 * self.conv.geometry.channels
        return self.operand_floats + sum(
            rows * (width + high - low + 16) for low, high in self._extents().values()
        )

    def _tile(self, base: Array, space: Array, out: Array, start: int) -> list[Call]:
        operand, channels = self.conv.operand, self.conv.geometry.channels
        calls: list[Call] = []
        copies: dict[int, Array] = {}
        position = 0
        firsts = np.concatenate(([0], np.cumsum([len(self._residues(g, 1)) for g in range(self.period)])))
        extents = self._extents()
        for phase, (low, high) in extents.items():
            width = -(-(out.shape[1] + high - low) // 16) * 16
            double = space[position : position + 2 * channels * width].reshape(2 * channels, width)
            position += double.size
            columns = out.shape[1] + high - low
            for g in range(min(self.period, channels)):
                shape = int(firsts[g + 1] - firsts[g]), columns
                strides = self.period * operand.channel, 1
                taken = window(base, g * operand.channel + low + start, shape, strides)
                place = double[firsts[g] : firsts[g + 1], :columns]
                calls.append(partial(np.copyto, place, taken))
            calls.append(partial(np.copyto, double[channels:], double[:channels]))
            copies[phase] = double
        for phi, tap, g, _, packed in self.parts:
            phase = self._phases[tap]
            shift = int(operand.taps[tap]) - extents[phase][0]
            rows = copies[phase][firsts[g] : firsts[g] + packed.shape[1]]
            taken = rows[:, shift : shift + out.shape[1]]
            calls.append(gemm_call(packed, taken, out[phi :: self.period], add=True))
        return calls


class Scatter(_Periodic):
    """One product per class of channels, then shifted additions."""

    name = "scatter"

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return super().fits(conv) and not conv.operand.phases

    def _runs(self, members: list[bool]) -> list[tuple[int, int]]:
        return [(g, 1) for g, kept in enumerate(members) if kept]

    def _pack(self) -> None:
        super()._pack()
        self.parts.sort(key=lambda part: part[2])
        self._stacks: list[tuple[int, Array, list[tuple[int, int, int]]]] = []
        for g in sorted({part[2] for part in self.parts}):
            own = [part for part in self.parts if part[2] == g]
            rows = np.cumsum([0, *(len(part[4]) for part in own)])
            stack = np.concatenate([part[4] for part in own])
            self._stacks.append((g, stack, [(p[0], p[1], int(r)) for p, r in zip(own, rows, strict=False)]))

    @property
    def packed(self) -> tuple[Array, ...]:
        return tuple(stack for _, stack, _ in self._stacks)

    @property
    def _width(self) -> int:
        highest = max(len(stack) for _, stack, _ in self._stacks)
        return max(_NARROWEST, _COPIED // (highest + self.conv.geometry.filters))

    @property
    def scratch(self) -> int:
        width = max(stop - start for start, stop in tiles(self.conv.operand.run, self._width))
        return self.operand_floats + max(len(s) for _, s, _ in self._stacks) * (width + self._span)

    def _tile(self, base: Array, space: Array, out: Array, start: int) -> list[Call]:
        operand, span = self.conv.operand, self._span
        low, columns = int(operand.taps.min()), out.shape[1] + span
        calls: list[Call] = []
        for g, stack, rows in self._stacks:
            product = space[: len(stack) * columns].reshape(len(stack), columns)
            strides = self.period * operand.channel, 1
            taken = window(base, g * operand.channel + low + start, (stack.shape[1], columns), strides)
            calls.append(gemm_call(stack, taken, product))
            for phi, tap, row in rows:
                place = out[phi :: self.period]
                shift = int(operand.taps[tap]) - low
                moved = product[row : row + len(place), shift : shift + out.shape[1]]
                calls.append(partial(np.add, place, moved, place))
        return calls
