"""Run-length compression of Eyeriss: pairs of a zero run and the value after it, packed in words.

A pair is a run of 0 to 31 zeros (5 bits) and a level (16 bits): the value that ends the run. Three
pairs and one flag, set in the last word, make a word of 64 bits. Source: Chen, Krishna, Emer, Sze,
"Eyeriss", IEEE J. Solid-State Circuits 52(1), 2017.

Rules where the paper leaves room (kind: assumed):

- a longer run uses filler pairs: run 31 and level 0 stand for 32 zeros;
- a trailing run of t <= 32 zeros is the pair (t - 1, level 0), so it costs a pair too;
- other value widths keep three pairs and a flag: words of ``pairs (run + value) + 1`` bits;
- the tensor is one stream in C order; the last word is full, its unused pairs zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter, bits_to_fields, fields_to_bits, sign_extended
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout, iid_layout
from energysim.formats.parameters import integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.units import ceil_div, ceil_fraction, exact_fraction

__all__ = ["RlcFormat"]

#: Elements of a mask that are looked at together.
_PART = 1 << 17


@dataclass(frozen=True)
class RlcFormat(BaseFormat):
    """Words of pairs; the number of pairs is in the header.

    Value bits are the level fields of all pairs, fillers included; runs, flags and unused pairs of the
    last word are side bits.

    Parameters
    ----------
    run : int
        Width of a run [bit].
    value : int, optional
        Width of a level [bit], at least the value width; the value width by default.
    pairs : int
        Pairs in a word.
    """

    name: ClassVar[str] = "rlc"
    needs_mask: ClassVar[bool] = True
    run: int = integer(5, 1, 16)
    value: int | None = integer(None, 1, 32)
    pairs: int = integer(3, 1, 64)

    def level_bits(self, value_bits: int) -> int:
        """Return the width of a level [bit].

        Raises
        ------
        FormatError
            If a fixed width is less than the value width.
        """
        if self.value is not None and self.value < value_bits:
            raise FormatError(f"{self.value}-bit levels cannot hold {value_bits}-bit values")
        return self.value or value_bits

    def word_bits(self, value_bits: int) -> int:
        """Return the width of a word [bit]: 64 for 5-bit runs and 16-bit levels."""
        return self.pairs * (self.run + self.level_bits(value_bits)) + 1

    def pair_count(self, mask: BoolArray) -> int:
        """Return the number of pairs of a mask, fillers and trailing run included."""
        flat = mask.reshape(-1)
        pairs, zeros = 0, 0  # zeros since the last value
        for start in range(0, flat.size, _PART):  # positions of a part stay in the cache
            part = flat[start : start + _PART]
            at = np.flatnonzero(part)
            pairs += at.size
            if not at.size:
                zeros += part.size
                continue
            pairs += (zeros + int(at[0])) >> self.run
            between = at[1:] - at[:-1]
            between -= 1
            if between.size and int(between.max()) >> self.run:
                pairs += int((between >> self.run).sum())
            zeros = int(part.size - 1 - at[-1])
        return pairs + ceil_div(zeros, 1 << self.run)

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return the level fields, and as side the rest of all words [bit]; the mask is needed.

        Raises
        ------
        FormatError
            If no mask is given: the number of runs does not follow from the layout.
        """
        if mask is None:
            raise FormatError("the run-length size needs the mask of the tensor, not only its layout")
        return self._size(self.pair_count(mask), value_bits)

    def expected_size_bits(self, shape: tuple[int, ...], density: Fraction, value_bits: int) -> StorageSize:
        """Return the expected size [bit] from ``E[pairs] = n p / (1 - (1 - p)^(2^run))``, n / 2^run at p = 0.

        The formula is that of an endless stream: it leaves out the trailing run, less than one pair.
        Pairs are rounded up once; densities 0 and 1 are exact.
        """
        elements = iid_layout(shape, density).elements
        p, reach = exact_fraction(density), 1 << self.run
        per_element = p / (1 - (1 - p) ** reach) if p else Fraction(1, reach)
        return self._size(ceil_fraction(elements * per_element), value_bits)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return an upper bound for any arrangement [bit]; the tile is a stream of its own, in whole words.

        Pairs are at most ``nonzeros + ceil(zeros / 2^run)``: a filler or trailing pair is short of
        2^run zeros only at the end of the stream.
        """
        zeros = positions - nonzeros
        pairs = nonzeros - (-zeros >> self.run)
        return -(-pairs // self.pairs) * self.word_bits(value_bits)

    def _size(self, pairs: int, value_bits: int) -> StorageSize:
        levels = pairs * self.level_bits(value_bits)
        return StorageSize(levels, ceil_div(pairs, self.pairs) * self.word_bits(value_bits) - levels)

    def _runs(self, mask: BoolArray) -> tuple[IntArray, IntArray, int]:
        """Return the run field and the fillers before each stored value, and the trailing zeros."""
        at = np.flatnonzero(mask)
        ends = np.concatenate([np.full(1, -1), at])
        zeros = np.diff(ends) - 1
        return zeros % (1 << self.run), zeros >> self.run, int(mask.size - 1 - ends[-1])

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        pairs = self.pair_count(stored)
        words = ceil_div(pairs, self.pairs)
        run, fillers, trailing = self._runs(stored)
        runs = np.zeros(words * self.pairs, dtype=np.int64)
        runs[:pairs] = (1 << self.run) - 1
        levels = np.zeros_like(runs)
        at = np.cumsum(fillers + 1) - 1
        runs[at], levels[at] = run, values[stored]
        if trailing % (1 << self.run):
            runs[pairs - 1] = trailing % (1 << self.run) - 1
        fields = [fields_to_bits(runs, self.run), fields_to_bits(levels, self.level_bits(value_bits))]
        last = np.arange(words) == words - 1
        words_of_pairs = np.hstack(fields).reshape(words, self.word_bits(value_bits) - 1)
        payload.raw(np.column_stack([words_of_pairs, last]))
        return [pairs]

    def _read(self, box: Container) -> Tensor:
        pairs = box.number()
        payload = box.payload()
        level = self.level_bits(box.value_bits)
        words = ceil_div(pairs, self.pairs)
        width = self.word_bits(box.value_bits)
        bits = payload.raw(words * width).reshape(words, width)
        payload.finish()
        if bits[:-1, -1].any() or not bits[-1:, -1].all():
            raise FormatError("the last-word flag is not in the last word")
        fields = bits[:, :-1].reshape(words * self.pairs, self.run + level)
        if fields[pairs:].any():
            raise FormatError("unused pairs of the last word are not zero")
        ends = np.cumsum(bits_to_fields(fields[:pairs, : self.run]) + 1)
        if int(ends[-1] if pairs else 0) != math.prod(box.shape):
            raise FormatError(f"the runs do not add up to the elements of shape {box.shape}")
        values = sign_extended(bits_to_fields(fields[:pairs, self.run :]), level)
        limit = 1 << (box.value_bits - 1)
        if pairs and not -limit <= int(values.min()) <= int(values.max()) < limit:
            raise FormatError(f"a level does not fit {box.value_bits} bits")
        return scattered(box.shape, ends - 1, values)
