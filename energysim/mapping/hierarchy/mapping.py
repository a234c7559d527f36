"""An explicit mapping: which loops run where, and which tensors bypass which level.

As text, one block per level or axis, blocks in any order, the loops of a block outermost first::

    dram: Q14 M2 C4; buffer: M4 C4 P56; X: M2 Q4; Y: C4 S3; weight_rf: R3 C4; psum_rf: M16

``P56`` is a loop of 56 trips over output rows. Dimensions are N G M C P Q R S; loops of one trip
need not be written. ``bypass buffer: weights inputs`` says which tensors that may are not held
there. The same blocks are the keys of the YAML form::

    dram: Q14 M2 C4
    X: M2 Q4
    bypass: {buffer: weights inputs}
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from math import prod

from energysim.errors import EnergysimError, near_miss
from energysim.hardware.hierarchy import DIMENSIONS, TENSORS

__all__ = ["Loop", "Mapping", "MappingError", "parse_mapping"]

_LOOP = re.compile(r"([A-Za-z])([0-9]{1,18})")
_BYPASS = "bypass"


class MappingError(EnergysimError):
    """A mapping that is none of the layer, or that the hardware cannot run."""


@dataclass(frozen=True)
class Loop:
    """A loop over one dimension."""

    dim: str
    trips: int

    def __str__(self) -> str:
        return f"{self.dim}{self.trips}"


@dataclass(frozen=True)
class Mapping:
    """One mapping; equal if it says the same, whatever the order of its blocks.

    Parameters
    ----------
    blocks : tuple of (str, tuple of Loop)
        Level or axis, and its loops, outermost first. Loops of one trip and empty blocks are left
        out, blocks are sorted by name.
    bypass : tuple of (str, str)
        (level, tensor) pairs, sorted.
    """

    blocks: tuple[tuple[str, tuple[Loop, ...]], ...]
    bypass: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.blocks]
        for name in names:
            if names.count(name) > 1:
                raise MappingError(f"the mapping uses {name!r} twice; write all its loops in one block")
        kept = [(name, tuple(loop for loop in loops if loop.trips != 1)) for name, loops in self.blocks]
        object.__setattr__(self, "blocks", tuple(sorted((n, loops) for n, loops in kept if loops)))
        object.__setattr__(self, "bypass", tuple(sorted(set(self.bypass))))

    @classmethod
    def of(cls, blocks: Dict[str, str], bypass: Dict[str, str] | None = None) -> Mapping:
        """Return the mapping of blocks such as ``{"dram": "Q14 M2", "X": "Q4"}``.

        Parameters
        ----------
        blocks : mapping of str to str
        bypass : mapping of str to str, optional
            Level -> tensors, separated by blanks.

        Raises
        ------
        MappingError
            If a loop or a tensor cannot be read; the message says which.
        """
        found = tuple((name, _loops(name, text)) for name, text in blocks.items())
        pairs = [(level, t) for level, text in (bypass or {}).items() for t in _tensors(level, text)]
        return cls(found, tuple(pairs))

    def loops(self, name: str) -> tuple[Loop, ...]:
        """The loops of a level or axis, outermost first."""
        return dict(self.blocks).get(name, ())

    def factor(self, dim: str) -> int:
        """Product of all trip counts over a dimension."""
        return prod(loop.trips for _, loops in self.blocks for loop in loops if loop.dim == dim)

    def to_dict(self) -> dict[str, object]:
        """Return the YAML form as plain values."""
        found: dict[str, object] = {name: " ".join(map(str, loops)) for name, loops in self.blocks}
        if self.bypass:
            found[_BYPASS] = self._bypassed()
        return found

    def __str__(self) -> str:
        parts = [f"{name}: {' '.join(map(str, loops))}" for name, loops in self.blocks]
        parts += [f"{_BYPASS} {level}: {text}" for level, text in self._bypassed().items()]
        return "; ".join(parts)

    def _bypassed(self) -> dict[str, str]:
        levels = dict.fromkeys(level for level, _ in self.bypass)
        return {level: " ".join(t for at, t in self.bypass if at == level) for level in levels}


def parse_mapping(text: str) -> Mapping:
    """Return the mapping of its text; ``parse_mapping(str(mapping)) == mapping``.

    Raises
    ------
    MappingError
        If it cannot be read.
    """
    blocks: list[tuple[str, tuple[Loop, ...]]] = []
    bypass: list[tuple[str, str]] = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, colon, rest = (p.strip() for p in part.partition(":"))
        if not colon or not name:
            raise MappingError(f"expected blocks such as 'dram: Q14 M2' separated by ';', got {part!r}")
        if name.startswith(f"{_BYPASS} "):
            level = name.removeprefix(_BYPASS).strip()
            bypass += [(level, tensor) for tensor in _tensors(level, rest)]
        else:
            blocks.append((name, _loops(name, rest)))
    return Mapping(tuple(blocks), tuple(bypass))


def _loops(name: str, text: str) -> tuple[Loop, ...]:
    found: list[Loop] = []
    for word in text.split():
        match = _LOOP.fullmatch(word)
        if match is None:
            raise MappingError(f"{name!r}: expected loops such as 'Q14 M2', got {word!r}")
        dim, trips = match[1], int(match[2])
        if dim not in DIMENSIONS:
            raise MappingError(
                f"{name!r}: unknown dimension {dim!r} in {word!r}{near_miss(dim, DIMENSIONS)} "
                f"(dimensions are {' '.join(DIMENSIONS)})"
            )
        if trips < 1:
            raise MappingError(f"{name!r}: a loop has 1 trip or more, not {word!r}")
        if any(loop.dim == dim for loop in found):
            raise MappingError(f"{name!r} has two loops over {dim}; write one")
        found.append(Loop(dim, trips))
    return tuple(found)


def _tensors(level: str, text: str) -> tuple[str, ...]:
    for word in text.split():
        if word not in TENSORS:
            raise MappingError(
                f"bypass of {level!r}: unknown tensor {word!r}{near_miss(word, TENSORS)} "
                f"({', '.join(TENSORS)})"
            )
    return tuple(text.split())
