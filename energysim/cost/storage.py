"""How the tensors of a workload lie in memory: widths and storage formats, resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from energysim.cost.base import Setting
from energysim.errors import EnergysimError, FormatError
from energysim.extra import NOTHING, Extra
from energysim.formats import StorageFormat, StorageSize, WeightLayout, get_format
from energysim.kernels import DenseKernel, IntArray, Kernel
from energysim.workload import Operand

__all__ = ["StoredOperand", "StoredWeights", "as_matrix", "formatted_bits", "stored_operand"]


@dataclass(frozen=True)
class StoredOperand:
    """A computed tensor as it lies in memory.

    Attributes
    ----------
    width : int
        Bits of an element in the buffer, where nothing is compressed.
    bits : Fraction
        Bits of an element in DRAM; the expected number where zeros are random and left out.
    expected : bool
        Whether it is an expectation.
    in_dram : bool
        Whether it passes through DRAM at all; else ``bits`` is 0.
    """

    width: int
    bits: Fraction
    expected: bool
    in_dram: bool = True


def stored_operand(operand: Operand, setting: Setting) -> StoredOperand:
    """Return how a computed tensor is stored.

    A form of the tensor's own goes before all. A format that is asked for is used as it is. The
    hardware's own format is used where it makes the tensor smaller, as chips bypass their encoder for
    dense maps.
    """
    width = operand.bits or setting.activation_bits
    if operand.on_chip:
        return StoredOperand(width, Fraction(0), False, in_dram=False)
    if operand.packed is not None:
        values, side_bits = operand.packed
        whole = operand.shape[0] * (values * width + side_bits)
        return StoredOperand(width, Fraction(whole, operand.elements), False)
    name, own = setting.activation_format, setting.hardware.activations
    if name is None and own.stored_compressed:
        name = own.format
    if name is None or operand.elements == 0:
        return StoredOperand(width, Fraction(width), False)
    bits = formatted_bits(operand, name, width)
    if setting.activation_format is None and bits >= width:
        return StoredOperand(width, Fraction(width), False)
    return StoredOperand(width, bits, operand.stored_density not in (0, 1) and bits != width)


def formatted_bits(operand: Operand, name: str, width: int) -> Fraction:
    """Return the expected bits of an element in a format.

    Raises
    ------
    FormatError
        If the format is none for computed tensors.
    """
    try:
        size = get_format(name).expected_size_bits(as_matrix(operand), operand.stored_density, width)
    except FormatError as error:
        raise FormatError(f"activations cannot be stored as {name!r}: {error}") from None
    return Fraction(size.total_bits, operand.elements)


def as_matrix(operand: Operand) -> tuple[int, int]:
    """Return the shape of an activation map as a matrix: a row per image and channel."""
    rows = operand.shape[0] * operand.shape[1]
    return rows, operand.elements // rows


@dataclass(frozen=True)
class StoredWeights:
    """A weight tensor in the storage format it gets.

    A dense tensor is always stored densely. A sparse one is stored in the format asked for; else
    densely if the hardware stores no compressed weights; else in the hardware's own format, if it has
    one; else as its kernel suggests: ``periodic`` where the support is periodic, ``bitmap`` otherwise.
    What a scheme says goes before all of this. :meth:`at` says how a level on chip holds them.

    ``size`` is what the network stores; ``fetched_*`` what a pass over the weights reads from DRAM
    (fewer bits where the weights are generated on chip); ``stream_bits`` what it reads on chip.
    """

    kernel: Kernel
    bits: int
    setting: Setting
    extra: Extra = NOTHING
    chosen: str | None = None

    def at(self, number: int, inner: Sequence[str]) -> StoredWeights:
        """Return how a level on chip holds the weights.

        Parameters
        ----------
        number : int
            Of the level, among those inside DRAM.
        inner : sequence of str
            The names of these, outermost first.
        """
        own = self.setting.hardware.weights
        if str(self.format) == "dense":
            return self
        if own.decompressed_at in inner[: number + 1]:
            return replace(self, chosen="dense")
        stated = dict(own.formats)
        last = [stated[name] for name in inner[: number + 1] if name in stated]
        return replace(self, chosen=last[-1]) if last else self

    @cached_property
    def format(self) -> StorageFormat:
        """The storage format."""
        if self.kernel.is_dense:
            return get_format("dense")
        if self.chosen is not None:
            return get_format(self.chosen)
        if self.extra.weight_format is not None:
            return get_format(self.extra.weight_format)
        if self.setting.weight_format is not None:
            return get_format(self.setting.weight_format)
        if not self.setting.hardware.weights.stored_compressed:
            return get_format("dense")
        return get_format(self.setting.hardware.weights.format or self.kernel.storage)

    @cached_property
    def _layout(self) -> WeightLayout:
        kernel = self.kernel
        if isinstance(kernel, DenseKernel):
            taps = kernel.shape[2] * kernel.shape[3]
            return WeightLayout(kernel.shape, kernel.nonzeros, 1, 1, taps)
        if not getattr(self.format, "kernel_fields", True):
            return WeightLayout(kernel.shape, kernel.nonzeros)
        counts = kernel.weights_per_window()
        return WeightLayout(
            kernel.shape,
            kernel.nonzeros,
            kernel.period,
            kernel.distinct_patterns,
            counts[0][0] if len(counts) == 1 else None,
        )

    @cached_property
    def _whole(self) -> StorageSize:
        """Bits of the whole tensor in its storage format."""
        try:
            mask = self.kernel.mask() if self.format.needs_mask else None
            return self.format.layer_bits(self._layout, self.bits, mask)
        except FormatError as error:
            raise EnergysimError(f"weights cannot be stored as {self.format}: {error}") from None

    @cached_property
    def size(self) -> StorageSize:
        """Bits that the network stores: values, and side information."""
        beside = self.extra.side_bits + self.extra.table_bits
        generated = self.extra.generated
        if self.extra.tied:
            return StorageSize(0, beside)
        if generated is not None:
            return StorageSize(generated.bits(self.bits), beside)
        return StorageSize(self._whole.value_bits, self._whole.side_bits + beside)

    @cached_property
    def table_bits(self) -> int:
        """Bits of the tables that are read once and stay on chip."""
        return self.format.table_bits(self._layout) + self.extra.table_bits

    @cached_property
    def stream_bits(self) -> int:
        """Bits that are read on chip with every pass over the weights."""
        own = self._whole.total_bits - self.format.table_bits(self._layout)
        return own + self.extra.side_bits

    @cached_property
    def elements(self) -> int:
        """Values of the tensor on chip: all of them, zeros included, in a dense one."""
        return self._whole.value_bits // self.bits

    @property
    def made_on_chip(self) -> bool:
        """Whether the weights are generated with every pass."""
        return self.extra.generated is not None and self.extra.generated.on_chip

    @property
    def fetched(self) -> tuple[int, int]:
        """Values and bits that are read from DRAM with every pass, tables not counted."""
        generated = self.extra.generated
        if generated is not None and generated.on_chip:
            return generated.values, generated.bits(self.bits) + self.extra.side_bits
        return self.elements, self.stream_bits

    @property
    def least_bits(self) -> Fraction:
        """The fewest bits that stand for a weight, in DRAM or on chip."""
        inside = (name for name, _ in self.setting.hardware.weights.formats)
        forms = [self.at(0, [name]) for name in inside]
        each = (Fraction(form.stream_bits, max(1, form.elements)) for form in forms)
        return min(Fraction(self.bits), Fraction(self.fetched[1], max(1, self.elements)), *each)

    @property
    def expansion_macs(self) -> int:
        """Multiply-adds that make the weights from what is stored."""
        return 0 if self.extra.generated is None else self.extra.generated.macs

    @property
    def load_bits(self) -> int:
        """DRAM traffic when the network is loaded: stored values read, weights made from them written."""
        generated = self.extra.generated
        if generated is None or generated.on_chip:
            return 0
        return generated.bits(self.bits) + self._whole.total_bits

    def tile_bits(self, filters: IntArray, channels: IntArray) -> IntArray:
        """Bits that the fullest tile of so many filters and channels takes, tables not counted."""
        return self._tile_bits(self.kernel.nonzeros_in_tile(filters, channels), filters, channels)

    def tile_range(self, filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        """Bits between which :meth:`tile_bits` lies, found quickly."""
        low, high = self.kernel.nonzeros_in_tile_range(filters, channels)
        return self._tile_bits(low, filters, channels), self._tile_bits(high, filters, channels)

    def _tile_bits(self, nonzeros: IntArray, filters: IntArray, channels: IntArray) -> IntArray:
        windows = filters * channels
        positions = windows * (self.kernel.shape[2] * self.kernel.shape[3])
        found = self.format.tile_bits(nonzeros, windows, positions, self.bits, self._layout, filters)
        if self.extra.side_bits:  # shared out to the windows
            whole = self.kernel.shape[0] * self.kernel.shape[1]
            found = found + (self.extra.side_bits * windows + whole - 1) // whole
        return found
