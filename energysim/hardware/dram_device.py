"""A DRAM device: energy of each command from the currents and timings of its data sheet.

Each IDD is the current in a defined loop of commands (JESD79): IDD0 one activation and precharge
per row cycle, IDD2N standby with all banks precharged, IDD3N with a row open, IDD4R and IDD4W
bursts without a gap, IDD5AB refreshes without a gap. A command costs what its loop takes above the
standby that goes on beside it, for as long as the command lasts. With currents in mA, voltages in
V and times in ns the products are pJ:

* activate and precharge: ``VDD * (IDD0*tRC - IDD3N*tRAS - IDD2N*tRP)``, with tRC = tRAS + tRP;
* burst: ``VDD * (IDD4 - IDD3N) * burst_length / transfers_per_clock`` clocks;
* refresh: ``VDD * (IDD5AB - IDD3N) * tRFC``;
* standby, per clock: ``VDD * IDD3N`` with a row open.

Source: S. Li, Z. Yang, D. Reddy, A. Srivastava, B. Jacob, DRAMsim3, IEEE Computer Architecture
Letters 19(2), 2020, ``InitPowerParams`` of src/configuration.cc, times tCK: DRAMsim3 leaves it out,
so what it prints as pJ is V * mA * clocks. Core energy only: no interface, no termination.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["DramDevice"]


@dataclass(frozen=True)
class DramDevice:
    """One DRAM device (one channel of a stack, where a stack has several).

    Parameters
    ----------
    name, description : str
    width_bits : int
        Data lines.
    banks, rows, row_words : int
        Rows of a bank; words of ``width_bits`` in a row.
    burst_length, transfers_per_clock : int
        Words of a burst, and how many of them a clock moves.
    clock_period : Fraction
        tCK [ns].
    tras, trp, trfc, trefi : int
        Row open, precharge, refresh, and between two refreshes [clocks].
    vdd : Fraction
        [V].
    idd0, idd2n, idd3n, idd4r, idd4w, idd5ab : Fraction
        [mA].
    kind : {"measured", "published", "assumed"}
        Of the currents.
    source : str
        Full citation.
    caveat : str
        Why these numbers are to be taken with care, if they are.
    """

    name: str
    description: str
    width_bits: int
    banks: int
    rows: int
    row_words: int
    burst_length: int
    transfers_per_clock: int
    clock_period: Fraction
    tras: int
    trp: int
    trfc: int
    trefi: int
    vdd: Fraction
    idd0: Fraction
    idd2n: Fraction
    idd3n: Fraction
    idd4r: Fraction
    idd4w: Fraction
    idd5ab: Fraction
    kind: str
    source: str
    caveat: str = ""

    @property
    def capacity_bits(self) -> int:
        """Bits of all banks."""
        return self.banks * self.rows * self.row_bits

    @property
    def row_bits(self) -> int:
        """Bits of a row."""
        return self.row_words * self.width_bits

    @property
    def burst_bits(self) -> int:
        """Bits of a burst: no access moves less."""
        return self.burst_length * self.width_bits

    @property
    def bits_per_second(self) -> Fraction:
        """Most bits that the data lines move in a second."""
        return self.width_bits * self.transfers_per_clock / self.clock_period * 10**9

    @property
    def burst_clocks(self) -> Fraction:
        """Clocks that a burst holds the data lines."""
        return Fraction(self.burst_length, self.transfers_per_clock)

    @property
    def activate_pj(self) -> Fraction:
        """Opening and closing a row [pJ], above standby."""
        charge = self.idd0 * (self.tras + self.trp) - self.idd3n * self.tras - self.idd2n * self.trp
        return self._energy(charge)

    @property
    def read_pj(self) -> Fraction:
        """A burst read from an open row [pJ]."""
        return self._energy((self.idd4r - self.idd3n) * self.burst_clocks)

    @property
    def write_pj(self) -> Fraction:
        """A burst written to an open row [pJ]."""
        return self._energy((self.idd4w - self.idd3n) * self.burst_clocks)

    @property
    def refresh_pj(self) -> Fraction:
        """A refresh of all banks [pJ]; one is due every ``trefi`` clocks."""
        return self._energy((self.idd5ab - self.idd3n) * self.trfc)

    @property
    def standby_pj(self) -> Fraction:
        """A clock of standby with a row open [pJ]."""
        return self._energy(self.idd3n)

    def _energy(self, clock_milliamperes: Fraction) -> Fraction:
        """Energy [pJ] of so many mA for so many clocks."""
        return self.vdd * clock_milliamperes * self.clock_period
