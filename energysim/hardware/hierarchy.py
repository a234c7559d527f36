"""A memory hierarchy of any depth: memories and spatial axes in turn, the multipliers innermost.

A level holds tiles and walks loops over the tiles inside it, one after the other; an axis puts
copies of everything inside it side by side. What is kept where, which loops may run where and
which words the copies along an axis share is the specification's word; the rest is the mapping's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from energysim.errors import SpecError, near_miss
from energysim.hardware.core import Constant, Hardware, Partitions
from energysim.hardware.zeros import LATER

__all__ = ["DIMENSIONS", "TENSORS", "Hierarchy", "HierarchyHardware", "SpatialAxis", "TemporalLevel"]

#: Loop dimensions: batch, groups, filters, channels, output rows and columns, kernel rows and columns.
DIMENSIONS = "NGMCPQRS"
TENSORS = ("weights", "inputs", "outputs")


@dataclass(frozen=True)
class TemporalLevel:
    """A memory, or one of many alike if axes lie outside it.

    Parameters
    ----------
    name : str
    capacity_bits : int or None
        None: unbounded.
    word_bits : int
        Bits of one access.
    read : Constant
        Energy of a word read, for the level inside or to complete a sum [pJ].
    fill : Constant
        Energy of a word written that comes from outside [pJ].
    update : Constant
        Energy of a word written that comes from inside: sums [pJ].
    bandwidth, read_bandwidth, write_bandwidth : Constant or None
        Bits per cycle of one such memory: reads and writes together, or each; None: never limits.
    keep, bypass : tuple of str
        Tensors always and never held here; of the others the mapping may say that they bypass it.
    loops : str
        Dimensions that may have a loop here.
    partitions : Partitions or None
        None: one memory shared by the tensors.
    double_buffered : bool
        If true, the tiles may fill only half of it.
    leakage : Constant or None
        Energy per cycle, used or not [pJ].
    ramp_up : tuple of (str, Constant)
        Weights or inputs whose reads of one such memory are over before work goes on, and how many
        bits per cycle.
    """

    name: str
    capacity_bits: int | None
    word_bits: int
    read: Constant
    fill: Constant
    update: Constant
    bandwidth: Constant | None = None
    read_bandwidth: Constant | None = None
    write_bandwidth: Constant | None = None
    keep: tuple[str, ...] = ()
    bypass: tuple[str, ...] = ()
    loops: str = DIMENSIONS
    partitions: Partitions | None = None
    double_buffered: bool = False
    leakage: Constant | None = None
    ramp_up: tuple[tuple[str, Constant], ...] = field(default=(), metadata=LATER)

    def part_bits(self, tensor: str) -> int | None:
        """Capacity of a tensor's own part; None without parts."""
        return None if self.partitions is None else int(getattr(self.partitions, tensor))


@dataclass(frozen=True)
class SpatialAxis:
    """Copies of everything inside, side by side.

    Parameters
    ----------
    name : str
    size : int
    loops : str
        Dimensions that may be spread along it.
    shared : tuple of str
        Tensors whose words the copies share where the spread dimensions leave them alike: weights
        and inputs are multicast, outputs added up on their way. Words of any other tensor travel
        to or from each copy on their own, and sums are completed in the memory outside.
    diagonal : bool
        Whether input words in the windows of several copies are fetched once as well (as along
        the diagonals of a row-stationary array).
    network : Constant or None
        Energy of a word (of ``word_bits``) that arrives at or leaves the inner side [pJ].
    word_bits : int
    """

    name: str
    size: int
    loops: str = DIMENSIONS
    shared: tuple[str, ...] = TENSORS
    diagonal: bool = False
    network: Constant | None = None
    word_bits: int = 1


@dataclass(frozen=True)
class Hierarchy:
    """Levels and axes, outermost first; the multipliers come after the last.

    Parameters
    ----------
    nodes : tuple of TemporalLevel and SpatialAxis
    leakage : Constant or None
        Energy of one multiplier per cycle, used or not [pJ].
    rules : tuple of (str, str)
        Counting rules of hierarchies that differ from the default, sorted by name.

    Raises
    ------
    SpecError
        If it cannot work; the message says which node and why.
    """

    nodes: tuple[TemporalLevel | SpatialAxis, ...]
    leakage: Constant | None = None
    rules: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0], TemporalLevel):
            raise SpecError("a hierarchy starts with its outermost memory")
        names = [node.name for node in self.nodes]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"two parts of the hierarchy have the name {name!r}")
        if len(self.levels) < 2:
            raise SpecError(f"the hierarchy has no memory inside {names[0]!r}; it needs one at least")
        outermost = self.levels[0]
        if outermost.bypass:
            raise SpecError(
                f"level {outermost.name!r} is the last one: nothing can bypass it, not {outermost.bypass[0]}"
            )
        for node in self.nodes:
            _check_dimensions(node)
            if isinstance(node, TemporalLevel):
                _check_level(node)
            elif node.size < 1:
                raise SpecError(f"axis {node.name!r} has the size {node.size}; it must be 1 or more")

    @property
    def levels(self) -> tuple[TemporalLevel, ...]:
        """The memories, outermost first."""
        return tuple(node for node in self.nodes if isinstance(node, TemporalLevel))

    @property
    def axes(self) -> tuple[SpatialAxis, ...]:
        """The axes, outermost first."""
        return tuple(node for node in self.nodes if isinstance(node, SpatialAxis))

    @property
    def lanes(self) -> int:
        """Number of multipliers."""
        return self.instances(len(self.nodes))

    @property
    def on_chip_bits(self) -> int | None:
        """All the memory inside the outermost level, every copy of it [bit]; None if one has no limit."""
        inner = self.levels[1:]
        sizes = [level.capacity_bits for level in inner]
        if None in sizes:
            return None
        copies = [self.instances(self.place(level.name)) for level in inner]
        return sum(size * times for size, times in zip(sizes, copies, strict=True) if size is not None)

    def instances(self, place: int) -> int:
        """Number of copies of what stands at a place of ``nodes`` (its length: the multipliers)."""
        result = 1
        for node in self.nodes[:place]:
            if isinstance(node, SpatialAxis):
                result *= node.size
        return result

    def place(self, name: str) -> int:
        """Return where a level or axis stands in ``nodes``.

        Raises
        ------
        SpecError
            If nothing has this name; offers the nearest.
        """
        names = [node.name for node in self.nodes]
        if name not in names:
            hint = near_miss(name, names) or f" (it has {', '.join(names)})"
            raise SpecError(f"the hierarchy has no level or axis {name!r}{hint}")
        return names.index(name)


@dataclass(frozen=True)
class HierarchyHardware(Hardware):
    """A piece of hardware with a hierarchy.

    ``dram`` and ``buffer`` are its two outermost memories and ``array`` counts its multipliers:
    all that layers without multiplications need.

    Parameters
    ----------
    hierarchy : Hierarchy
    """

    hierarchy: Hierarchy

    __hash__ = Hardware.__hash__


def _check_dimensions(node: TemporalLevel | SpatialAxis) -> None:
    for dim in node.loops:
        if dim not in DIMENSIONS:
            known = " ".join(DIMENSIONS)
            raise SpecError(f"{node.name!r} names the dimension {dim!r}; dimensions are {known}")
        if node.loops.count(dim) > 1:
            raise SpecError(f"{node.name!r} names the dimension {dim!r} twice")
    tensors = (*node.keep, *node.bypass) if isinstance(node, TemporalLevel) else node.shared
    for tensor in tensors:
        if tensor not in TENSORS:
            raise SpecError(
                f"{node.name!r} names the tensor {tensor!r}{near_miss(tensor, TENSORS)} "
                f"({', '.join(TENSORS)})"
            )
        if tensors.count(tensor) > 1:
            raise SpecError(f"{node.name!r} names {tensor} twice among its tensors")


def _check_level(level: TemporalLevel) -> None:
    if set(level.bypass) == set(TENSORS):
        raise SpecError(f"nobody uses level {level.name!r}: all three tensors bypass it")
    for kind in ("bandwidth", "read_bandwidth", "write_bandwidth"):
        given = getattr(level, kind)
        if given is not None and given.value <= 0:
            raise SpecError(
                f"level {level.name!r} has a {kind.replace('_', ' ')} of zero; leave it out for no limit"
            )
