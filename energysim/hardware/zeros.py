"""What a piece of hardware makes of zeros: in memory, on the way in, and at the multipliers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from energysim.hardware.constants import Constant

__all__ = ["LATER", "MULTIPLIERS", "Reserve", "ZeroHandling"]

#: Stands for the multipliers where levels are named.
MULTIPLIERS = "mac"
#: Marks fields that came later: at their defaults they leave a digest as it was.
LATER = {"later": True}


@dataclass(frozen=True)
class ZeroHandling:
    """What the hardware makes of the zeros of one kind of tensor.

    Parameters
    ----------
    stored_compressed : bool
        Whether zeros are left out in DRAM.
    compute : {"none", "gate", "skip"}
        ``gate`` saves the energy of a MAC with a zero, ``skip`` its cycle as well.
    format : str or None
        Storage format in DRAM, if the hardware fixes one.
    formats : tuple of (str, str)
        Formats of levels inside, where they differ from that of the level outside.
    decompressed_at : str or None
        The level that is filled with plain values, zeros included, or ``"mac"``: compressed up to
        the multipliers. None: weights at the multipliers, activations on their way out of DRAM.
    lanes : {"packed", "waiting"} or None
        Who waits where cycles are skipped: nobody, as lanes are filled anew all the time; or each lane
        skips its own zeros and waits for the slowest beside it. None: as the cost model has it.
    spared : tuple of str
        Levels that multipliers do not read or update for a product with such a zero.
    """

    stored_compressed: bool
    compute: Literal["none", "gate", "skip"]
    format: str | None = None
    formats: tuple[tuple[str, str], ...] = field(default=(), metadata=LATER)
    decompressed_at: str | None = field(default=None, metadata=LATER)
    lanes: Literal["packed", "waiting"] | None = field(default=None, metadata=LATER)
    spared: tuple[str, ...] = field(default=(), metadata=LATER)

    @property
    def words(self) -> str:
        """What goes beyond the three first values, in words; empty if nothing does."""
        found = []
        if self.decompressed_at is not None:
            kept = self.decompressed_at == MULTIPLIERS
            found.append(
                "compressed up to the multipliers" if kept else f"plain from {self.decompressed_at} on"
            )
        found += [f"{name} as {form}" for name, form in self.formats]
        if self.lanes is not None:
            found.append({"packed": "lanes packed", "waiting": "lanes wait for the slowest"}[self.lanes])
        if self.spared:
            found.append(f"accesses of {', '.join(self.spared)} spared")
        return ", ".join(found)


@dataclass(frozen=True)
class Reserve:
    """Room for tiles of activations that lie compressed on chip: how many nonzeros one has is random.

    Parameters
    ----------
    one_in : Constant
        At most one tile in so many holds more than what is reserved.
    overflow : {"refetched", "ignored", "never"}
        What becomes of one that does: it is fetched a second time; nothing is counted; or there is
        none, since tiles get room for all their values.
    """

    one_in: Constant
    overflow: Literal["refetched", "ignored", "never"] = "refetched"

    @property
    def words(self) -> str:
        """What is reserved, and what becomes of tiles that need more."""
        if self.tail is None:
            return "for all values of every tile"
        rest = {"refetched": "is fetched again", "ignored": "is not counted"}[self.overflow]
        return f"one tile in {self.tail} overflows at most and {rest}"

    @property
    def tail(self) -> int | None:
        """One tile in so many may overflow; None: none may."""
        return None if self.overflow == "never" else int(self.one_in.value)
