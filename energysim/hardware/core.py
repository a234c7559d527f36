"""A piece of hardware as the cost models see it: plain frozen values, nothing of YAML.

Every number that carries energy or time is a `Constant`, which knows its source.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from functools import cached_property

from energysim.errors import SpecError
from energysim.hardware.constants import Constant
from energysim.hardware.zeros import LATER, Reserve, ZeroHandling

__all__ = [
    "Array",
    "Constant",
    "Hardware",
    "MemoryLevel",
    "Partitions",
    "RegisterAccesses",
    "Reserve",
    "ZeroHandling",
]


@dataclass(frozen=True)
class Partitions:
    """Capacities of the fixed parts of a split buffer [bit]."""

    weights: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class MemoryLevel:
    """A memory.

    Parameters
    ----------
    name : {"dram", "buffer"}
    capacity_bits : int or None
        None: unbounded.
    word_bits : int
        Bits of one access.
    read, write : Constant
        Energy per word [pJ].
    bandwidth : Constant or None
        In bits per cycle of the hardware's clock, reads and writes together; None: never limits.
    partitions : Partitions or None
        None: one shared memory.
    double_buffered : bool
        If true, a tile may fill only half of it.
    """

    name: str
    capacity_bits: int | None
    word_bits: int
    read: Constant
    write: Constant
    bandwidth: Constant | None = None
    partitions: Partitions | None = None
    double_buffered: bool = False


@dataclass(frozen=True)
class Array:
    """The multipliers, as sharing of buffer accesses in the two-level model.

    ``pixels`` output pixels share one weight read from the buffer; ``filters`` filters share
    one input read; ``products`` products are summed in registers or an adder tree for one
    accumulator access of the buffer. MACs per cycle = pixels x filters. With all three at one,
    every MAC reads the buffer itself.

    Parameters
    ----------
    pixels, filters, products : int
    constants : tuple of Constant
        The same three numbers with their provenance.
    """

    pixels: int
    filters: int
    products: int
    constants: tuple[Constant, ...] = ()

    @property
    def macs_per_cycle(self) -> int:
        """Multipliers: pixels x filters."""
        return self.pixels * self.filters


@dataclass(frozen=True)
class RegisterAccesses:
    """Register accesses of one MAC."""

    weight_reads: int = 1
    input_reads: int = 1
    psum_reads: int = 1
    psum_writes: int = 1


@dataclass(frozen=True)
class Hardware:
    """A piece of hardware.

    Parameters
    ----------
    name, description : str
    cost_model : str
        Name of the cost model it is written for.
    node_nm : int or None
        Technology node [nm].
    clock_hz : Fraction
    weight_bits, activation_bits, accumulator_bits : int
        Native widths.
    dram, buffer : MemoryLevel
    mac : tuple of (int, Constant)
        Energy of one MAC [pJ] by operand width, ascending.
    register : tuple of (int, Constant, Constant)
        Energy of a register read and write [pJ] by width, ascending; empty: no register level.
    register_accesses : RegisterAccesses
    vector_op : Constant
        Energy of one elementary operation that is no MAC [pJ].
    array : Array
    weights, activations : ZeroHandling
    rules : tuple of (str, object)
        Counting rules that differ from the cost model's defaults, sorted by name.
    constants : tuple of Constant
        Everything with a source, in a fixed order.
    reserve : Reserve or None
        How much room compressed activations get on chip, if they lie there.
    """

    name: str
    description: str
    cost_model: str
    node_nm: int | None
    clock_hz: Fraction
    weight_bits: int
    activation_bits: int
    accumulator_bits: int
    dram: MemoryLevel
    buffer: MemoryLevel
    mac: tuple[tuple[int, Constant], ...]
    register: tuple[tuple[int, Constant, Constant], ...]
    register_accesses: RegisterAccesses
    vector_op: Constant
    array: Array
    weights: ZeroHandling
    activations: ZeroHandling
    rules: tuple[tuple[str, bool | int | str], ...]
    constants: tuple[Constant, ...]
    reserve: Reserve | None = field(default=None, kw_only=True, metadata=LATER)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: independent of path, key order and way of writing."""
        return hashlib.sha256(_canonical(self).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def mac_energy(self, weight_bits: int, activation_bits: int) -> Constant:
        """Return the energy of one MAC: the narrowest datapath that holds both operands.

        Raises
        ------
        SpecError
            If no MAC of this hardware is that wide.
        """
        return dict(self.mac)[self.mac_width(weight_bits, activation_bits)]

    def mac_width(self, weight_bits: int, activation_bits: int) -> int:
        """Return the width of the narrowest datapath that holds both operands [bit].

        Raises
        ------
        SpecError
            If no MAC of this hardware is that wide.
        """
        bits = max(weight_bits, activation_bits)
        for width, _ in self.mac:
            if width >= bits:
                return width
        raise SpecError(
            f"hardware {self.name!r} has no MAC for {weight_bits}-bit weights and {activation_bits}-bit "
            f"activations; its widest has {self.mac[-1][0]} bit"
        )

    def register_energy(self, bits: int) -> tuple[Constant, Constant]:
        """Return the energies of a register read and write: the narrowest that holds the bits.

        Raises
        ------
        SpecError
            If there are no registers, or none that wide.
        """
        for width, read, write in self.register:
            if width >= bits:
                return read, write
        have = f"its widest has {self.register[-1][0]} bit" if self.register else "it has no registers"
        raise SpecError(f"hardware {self.name!r} has no register for {bits} bit; {have}")

    @property
    def zero_sentence(self) -> str:
        """What the hardware makes of zeros, in one line."""
        skip = {"skip": "yes", "gate": "no (gated)", "none": "no"}[self.weights.compute]
        zeros = {"skip": "skipped", "gate": "gated", "none": "not exploited"}[self.activations.compute]
        stored = f"; activations stored compressed: {self.activations.format}"
        room = "" if self.reserve is None else self.reserve.words
        told = (("weights", self.weights.words), ("activations", self.activations.words), ("room", room))
        return (
            f"weights stored compressed: {'yes' if self.weights.stored_compressed else 'no'}; "
            f"compute skips weight zeros: {skip}; activation zeros: {zeros}"
            f"{stored if self.activations.stored_compressed else ''}"
            f"{''.join(f'; {tensor}: {words}' for tensor, words in told if words)}"
        )


def _canonical(value: object) -> str:
    """Return a text that is equal exactly if the values are."""
    if is_dataclass(value):
        known = [(f, getattr(value, f.name)) for f in fields(value)]
        told = [(f.name, v) for f, v in known if not (f.metadata == LATER and v == f.default)]
        inner = ",".join(f"{name}={_canonical(v)}" for name, v in told)
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return f"({','.join(map(_canonical, value))})"
    return str(value) if isinstance(value, Fraction) else repr(value)
