"""The DRAM of a piece of hardware: devices side by side in ranks, ranks in channels.

The devices of a rank take each command together and move a word of the bus between them. An
address is, from its lowest bit: the place in a row (column), and then, with the mapping
``row:bank:column``, the bank, the rank, the channel and the row. So rows that follow each other lie in
different banks, and ranks and channels count as further banks here. With ``bank:row:column`` a bank is
filled before the next is begun. The row policy is ``open``: a row stays open until another one of its
bank is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energysim.hardware.core import Constant, MemoryLevel
from energysim.hardware.dram_device import DramDevice

__all__ = ["MAPPINGS", "DeviceDram", "DramSystem"]

MAPPINGS = ("row:bank:column", "bank:row:column")


@dataclass(frozen=True)
class DramSystem:
    """How many devices there are, and how addresses are spread over them.

    Parameters
    ----------
    device : DramDevice
    channels, ranks, devices_per_rank : int
        Channels, ranks of each, devices of each of those.
    mapping : {"row:bank:column", "bank:row:column"}
    row_policy : {"open"}
    """

    device: DramDevice
    channels: int
    ranks: int
    devices_per_rank: int
    mapping: str
    row_policy: Literal["open"] = "open"

    @property
    def banks(self) -> int:
        """Rows that can be open at a time: banks of all ranks and channels."""
        return self.device.banks * self.ranks * self.channels

    @property
    def all_ranks(self) -> int:
        """Ranks of all channels."""
        return self.ranks * self.channels

    @property
    def row_bits(self) -> int:
        """Bits of a row, over the devices of a rank."""
        return self.device.row_bits * self.devices_per_rank

    @property
    def burst_bits(self) -> int:
        """Bits of a burst, over the devices of a rank."""
        return self.device.burst_bits * self.devices_per_rank

    @property
    def rows(self) -> int:
        """Rows of all banks."""
        return self.banks * self.device.rows

    @property
    def capacity_bits(self) -> int:
        """Bits of all devices."""
        return self.rows * self.row_bits


@dataclass(frozen=True, kw_only=True)
class DeviceDram(MemoryLevel):
    """A DRAM whose energy is that of the commands it takes.

    ``read`` and ``write`` are the energies of a burst from an open row, ``word_bits`` its bits: the
    least a bit can cost, whatever the order of the addresses.

    Parameters
    ----------
    system : DramSystem
    activate : Constant
        Opening and closing a row of all devices of a rank [pJ].
    refresh, standby : Constant
        A refresh, and a clock of standby, of all devices of all ranks [pJ].
    """

    system: DramSystem
    activate: Constant
    refresh: Constant
    standby: Constant
