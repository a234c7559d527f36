"""Mappings beyond even tiles: a tensor kept in part, and sweeps; what each moves and takes.

A :class:`PartTiling` is a tiling with a *residence*: some channels (or filters) of one tensor stay on
chip while loops run that would fetch them again, and the others are streamed tile by tile. Three forms,
by the order of the loops, innermost first:

* ``C, P Q N, M``, weights: of the filters of a tile, ``kept`` channels stay while the output positions
  go by. Sums finish on chip.
* ``C, M, P Q N``, inputs: of a tile of the image, ``kept`` channels stay while the filters go by; what
  windows share along the innermost of P, Q and N stays too (rule ``overlap``).
* ``M, P Q N, C``, weights: of the channels of a tile, ``kept`` filters stay while the positions go by.
  Inputs lie as in tiles without a residence; sums are visited once per tile of C.

A :class:`Sweep` keeps tiles of weights (filters x channels) and goes over the images in bands, in raster
order (:mod:`energysim.mapping.live`). It either makes one output position after the other and holds
inputs, each from the first window that needs it to the last; or it takes one input after the other and
holds the sums it is added to, each from its first product to its last. So within a band nothing is read
twice; what neighbouring bands share is. Loops over tiles of C run inside those of M, with sums that go
out and come back.

:class:`Steps` go over bands as well, but in steps of several outputs, in each of which all channels are
added, one after the other; weights are read in every step. An input is brought once in a band: a step brings
what no step before it needed, and adds it to all sums of the band that it belongs to. So sums of the step
ahead have begun when a step ends; they are carried on. Sums finish on chip.

Groups are outermost for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.axes import AxisTable, tile_inputs
from energysim.mapping.live import KEEPS, carried, live
from energysim.mapping.nest import DIMENSIONS, Fetches, Tiling, fetches
from energysim.mapping.room import Room, copies, footprint
from energysim.mapping.rules import Rules
from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["PartTiling", "Schedule", "Steps", "Sweep", "moved_by", "taken_by"]


@dataclass(frozen=True)
class PartTiling:
    """A tiling with a residence.

    Attributes
    ----------
    tiling : Tiling
        Of what is streamed; its order gives the form (see the module).
    tensor : str
        ``weights`` or ``inputs``.
    kept : int
        Channels in residence, or filters in the third form: all, or fewer by more than a tile than all.
    """

    tiling: Tiling
    tensor: str
    kept: int

    @property
    def unit(self) -> str:
        """The dimension that is kept in part: C or M.

        Raises
        ------
        ValueError
            If the order of the loops is none of those that have a residence.
        """
        order, tensor = self.tiling.order, self.tensor
        for first, last, whose in (("C", "M", "weights"), ("M", "C", "weights")):
            if tensor == whose and order[0] == first and order[-1] == last:
                return first
        if tensor == "inputs" and order[:2] == "CM":
            return "C"
        raise ValueError(f"no residence of {tensor!r} is known for the loop order {order!r}")

    def streamed(self, nest: LoopNest) -> int:
        """Channels, or filters, of a tile that is streamed; 0 if all are in residence.

        Raises
        ------
        ValueError
            If the number in residence is impossible.
        """
        size, tile = _along(nest, self.unit), self.tiling.tiles[DIMENSIONS.index(self.unit)]
        if tile < size and (self.kept == size or 1 <= self.kept < size - tile):
            return 0 if self.kept == size else tile
        raise ValueError(
            f"of {size} along {self.unit}, cut into tiles of {tile}, {self.kept} cannot be in residence"
        )

    def __str__(self) -> str:
        what = "channels" if self.unit == "C" else "filters"
        return f"{self.tiling}, {self.kept} {what} of {self.tensor} stay"


@dataclass(frozen=True)
class Sweep:
    """Images gone over in bands, with weights that stay.

    Attributes
    ----------
    filters, channels : int
        Tile of M and of C.
    along : str
        The axis that is cut into bands: ``P`` or ``Q``.
    band : int
        Outputs across a band.
    keeps : str
        What is held while windows need it: ``inputs`` or ``sums``.
    """

    filters: int
    channels: int
    along: str
    band: int
    keeps: str

    def check(self, nest: LoopNest, rules: Rules) -> None:
        """Raise ValueError if this is no sweep of the loop nest under the rules."""
        across = {"P": nest.rows, "Q": nest.cols}.get(self.along)
        fits = (
            across is not None
            and self.keeps in KEEPS
            and 1 <= self.filters <= nest.filters
            and 1 <= self.channels <= nest.channels
            and 1 <= self.band <= across.outputs
        )
        if not fits or rules.untouched != "skipped":
            raise ValueError(f"{self} is no sweep of this layer (or untouched inputs count)")

    def __str__(self) -> str:
        tile = f"tile M{self.filters} C{self.channels}"
        return f"sweep in bands {self.along}{self.band}, {tile}, {self.keeps} kept"


@dataclass(frozen=True)
class Steps:
    """Images gone over in bands and steps, with sums that are carried on; channels are innermost.

    Attributes
    ----------
    images, filters : int
        Tile of N and of M.
    along : str
        The axis that is cut into bands: ``P`` or ``Q``.
    band, step : int
        Outputs across a band, and outputs that a step finishes along it.
    """

    images: int
    filters: int
    along: str
    band: int
    step: int

    def check(self, nest: LoopNest, rules: Rules) -> None:
        """Raise ValueError if this is none of the loop nest under the rules."""
        length, across = _axes(nest, self.along)
        fits = (
            self.along in tuple("PQ")
            and 1 <= self.images <= nest.batch
            and 1 <= self.filters <= nest.filters
            and 1 <= self.band <= across.outputs
            and 1 <= self.step <= length.outputs
            and nest.channels > 1
        )
        if not fits or rules.untouched != "skipped":
            raise ValueError(f"{self}: no such steps in this layer (or untouched inputs count)")

    def __str__(self) -> str:
        other = "PQ"[self.along == "P"]
        tile = f"tile N{self.images} M{self.filters} C1"
        return f"bands {self.along}{self.band} in steps {other}{self.step}, {tile}, sums carried"


Schedule = Tiling | PartTiling | Sweep | Steps


def moved_by(nest: LoopNest, schedule: Schedule, rules: Rules) -> Fetches:
    """Return what a mapping moves.

    Raises
    ------
    ValueError
        If it is none of this loop nest.
    """
    if isinstance(schedule, Tiling):
        return fetches(nest, schedule, rules.even)
    if isinstance(schedule, Steps):
        return _stepped(nest, schedule, rules)
    return _swept(nest, schedule, rules) if isinstance(schedule, Sweep) else _in_part(nest, schedule, rules)


def taken_by(nest: LoopNest, schedule: Schedule, rules: Rules, room: Room) -> tuple[int, int, int]:
    """Return the bits of weights, inputs and outputs that a mapping needs on chip."""
    if isinstance(schedule, Sweep):
        return _taken_by_sweep(nest, schedule, rules, room)
    if isinstance(schedule, Steps):
        return _taken_by_steps(nest, schedule, rules, room)
    if isinstance(schedule, PartTiling):
        return _taken_in_part(nest, schedule, rules, room)
    return footprint(nest, schedule, rules.even, room)


def _along(nest: LoopNest, dim: str) -> int:
    return nest.channels if dim == "C" else nest.filters


def _in_part(nest: LoopNest, schedule: PartTiling, rules: Rules) -> Fetches:
    unit, streamed, kept = schedule.unit, schedule.streamed(nest), schedule.kept
    tiling, size = schedule.tiling, _along(nest, unit)
    trips = tiling.trips(nest)
    passes = trips["N"] * trips["P"] * trips["Q"]
    again = size - kept if streamed else 0
    planes = nest.batch * nest.groups
    shared, alone = _plane(nest, tiling, trips, rules)
    if schedule.tensor == "inputs":
        inputs = planes * (kept * shared + again * alone * trips["M"])
        return Fetches(passes, inputs, 1)
    # Of all weights, the share kept/size is read once, the others in every pass.
    read = Fraction(kept + again * passes, size)
    if unit == "C":
        return Fetches(read, planes * nest.channels * alone * trips["M"], 1)
    return Fetches(read, planes * nest.channels * shared, trips["C"])


def _plane(nest: LoopNest, tiling: Tiling, trips: Mapping[str, int], rules: Rules) -> tuple[int, int]:
    """Inputs of a channel of an image in all tiles, overlap kept along the innermost loop or not."""
    inner = next((dim for dim in tiling.order if dim in "NPQ" and trips[dim] > 1), "")
    keeps = inner if rules.overlap != "none" else ""
    shared = alone = 1
    for dim, axis in (("P", nest.rows), ("Q", nest.cols)):
        table = tile_inputs(axis, np.array([tiling.tiles[DIMENSIONS.index(dim)]]), rules)
        shared *= int((table.swept if dim == keeps else table.alone)[0])
        alone *= int(table.alone[0])
    return shared, alone


def _taken_in_part(nest: LoopNest, schedule: PartTiling, rules: Rules, room: Room) -> tuple[int, int, int]:
    unit, streamed, kept, held = schedule.unit, schedule.streamed(nest), schedule.kept, copies(rules)
    n, m, c, p, q = schedule.tiling.tiles
    window = n * int(_table(nest.rows, p, rules).largest[0] * _table(nest.cols, q, rules).largest[0])
    weights, inputs = _weights(room, m, c), _inputs(room, window, n, c)
    if schedule.tensor == "inputs":
        inputs = _inputs(room, window, n, kept) + _inputs(room, window, n, streamed)
    elif unit == "C":
        weights = _weights(room, m, kept) + _weights(room, m, streamed)
    else:
        weights = _weights(room, kept, c) + _weights(room, streamed, c)
    return (
        held * weights + room.resident,
        held * inputs,
        held * room.output_bits * n * m * p * q,
    )


def _swept(nest: LoopNest, sweep: Sweep, rules: Rules) -> Fetches:
    sweep.check(nest, rules)
    plane = _banded(nest, sweep, rules)
    filters, channels = -(-nest.filters // sweep.filters), -(-nest.channels // sweep.channels)
    return Fetches(1, nest.batch * nest.groups * nest.channels * plane * filters, channels)


def _taken_by_sweep(nest: LoopNest, sweep: Sweep, rules: Rules, room: Room) -> tuple[int, int, int]:
    sweep.check(nest, rules)
    length, across = _axes(nest, sweep.along)
    most, held = live(length, across, sweep.band, sweep.keeps, rules), copies(rules)
    if sweep.keeps == "inputs":
        inputs, outputs = _inputs(room, most, 1, sweep.channels), sweep.filters
    else:
        inputs, outputs = _inputs(room, 1, 1, 1), sweep.filters * max(1, most)
    return (
        held * _weights(room, sweep.filters, sweep.channels) + room.resident,
        held * inputs,
        held * room.output_bits * outputs,
    )


def _stepped(nest: LoopNest, steps: Steps, rules: Rules) -> Fetches:
    steps.check(nest, rules)
    length, across = _axes(nest, steps.along)
    images, filters = -(-nest.batch // steps.images), -(-nest.filters // steps.filters)
    passes = images * -(-across.outputs // steps.band) * -(-length.outputs // steps.step)
    planes = nest.batch * nest.groups * nest.channels
    return Fetches(passes, planes * _banded(nest, steps, rules) * filters, 1)


def _taken_by_steps(nest: LoopNest, steps: Steps, rules: Rules, room: Room) -> tuple[int, int, int]:
    steps.check(nest, rules)
    length, across = _axes(nest, steps.along)
    sums, fresh = carried(length, steps.step, rules)
    window = steps.images * fresh * int(_table(across, steps.band, rules).largest[0])
    held = copies(rules)
    return (
        held * _weights(room, steps.filters, 1) + room.resident,
        held * _inputs(room, window, steps.images, 1),
        held * room.output_bits * steps.images * steps.filters * sums * steps.band,
    )


def _axes(nest: LoopNest, along: str) -> tuple[Axis, Axis]:
    """The axis along bands, and the one that is cut into them."""
    return (nest.rows, nest.cols) if along == "Q" else (nest.cols, nest.rows)


def _banded(nest: LoopNest, bands: Sweep | Steps, rules: Rules) -> int:
    """Inputs of a channel of an image in all bands, each band's once."""
    length, across = _axes(nest, bands.along)
    return int(_table(length, length.outputs, rules).alone[0] * _table(across, bands.band, rules).alone[0])


def _table(axis: Axis, tile: int, rules: Rules) -> AxisTable:
    return tile_inputs(axis, np.array([tile]), rules)


def _weights(room: Room, filters: int, channels: int) -> int:
    """Bits of the fullest tile of weights; none for an empty one."""
    if not filters * channels:
        return 0
    found: IntArray = room.weight_bits(np.array([filters]), np.array([channels]))
    return int(found[0])


def _inputs(room: Room, window: int, images: int, channels: int) -> int:
    """Bits of the inputs of some channels; none for no channels."""
    if not window * channels:
        return 0
    return int(room.inputs(np.array([window * channels]), np.array([images * channels]))[0])
