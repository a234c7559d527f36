"""Times of EIE on pruned linear layers: Tables III and IV of Han et al., ISCA 2016 (arXiv 1602.01528).

A processing element (PE) takes an entry of its part of the matrix a cycle. The rows of the matrix are
dealt out to the PEs in turn; a PE stores its part of a column as weights, each with the number of zeros
before it in four bits, and where more than 15 zeros come before a weight it stores zeros in between
(section III-B), which take a cycle like any other entry. Columns of zero activations are left out.
"""

from __future__ import annotations

from fractions import Fraction

from energysim.occupancy import expected_most
from energysim.reproduce.tables import Result, Table
from energysim.units import ceil_div

__all__ = ["LAYERS", "eie", "expected_padding"]

_PES, _MEGAHERTZ = 64, 800  # section VI
_REACH = 16  # an entry is at most so many positions after the one before

#: Inputs, outputs, share of nonzero weights and of nonzero activations (Table III).
LAYERS = {
    "AlexNet-FC6": (9216, 4096, "0.09", "0.351"),
    "AlexNet-FC7": (4096, 4096, "0.09", "0.353"),
    "AlexNet-FC8": (4096, 1000, "0.25", "0.375"),
    "VGG16-FC6": (25088, 4096, "0.04", "0.183"),
    "VGG16-FC7": (4096, 4096, "0.04", "0.375"),
    "VGG16-FC8": (4096, 1000, "0.23", "0.411"),
    "NT-We": (4096, 600, "0.1", "1"),
    "NT-Wd": (600, 8791, "0.11", "1"),
    "NT-LSTM": (1201, 2400, "0.1", "1"),
}
_NOTES = (
    "64 PEs at 800 MHz, batch 1; ours: expected entries in the columns of nonzero activations, nonzero "
    "weights anywhere (assumed), one a cycle and PE. No cost model is behind it: no traffic, and no energy, "
    "as the published energies are power x actual time",
    "theoretical time: all PEs equally busy; zeros that are stored between weights far from each other are "
    "work, as the paper says of them (section VII-B); beside it without them",
    "actual time: the PEs wait for each other when a queue of 8 activations is full. Ours is for queues "
    "without end (they meet at the end of the layer) and for none (they meet after every column). The "
    "published time should lie between, so neither is scored. That of AlexNet FC7 does not: ours is too high "
    "there, as is its theoretical time",
    "densities are published to the per cent: half of one is 12 % of the work where 4 % are kept",
)


def eie() -> Table:
    """Compute the table."""
    results: list[Result] = []
    for name, (inputs, outputs, weights, activations) in LAYERS.items():
        kept, columns = Fraction(weights), inputs * Fraction(activations)
        products = columns * outputs * kept
        entries = products + columns * _padding_of_a_column(outputs, kept)
        rows = ceil_div(outputs, _PES)
        stretch = entries / products
        endless = stretch * expected_most(round(columns * rows), kept, _PES)
        without = stretch * columns * expected_most(rows, kept, _PES)
        theoretical, actual = f"EIE-{name}-th", f"EIE-{name}-act"
        results += [
            Result(theoretical, entries / _PES / _MEGAHERTZ),
            Result(
                theoretical,
                products / _PES / _MEGAHERTZ,
                unscored="zeros that are stored are work",
                quantity="theoretical time, nonzero weights only",
            ),
            Result(
                actual,
                endless / _MEGAHERTZ,
                unscored="a lower bound",
                quantity="actual time, endless queues",
            ),
            Result(
                actual, without / _MEGAHERTZ, unscored="an upper bound", quantity="actual time, no queues"
            ),
        ]
    return Table("eie", "EIE, pruned linear layers (ISCA 2016, Table IV)", _NOTES, tuple(results))


def expected_padding(positions: int, density: Fraction, reach: int = _REACH) -> Fraction:
    """Return how many zeros are expected to be stored among independent weights.

    A weight at position i has ``reach k`` zeros just before it, and so a k-th stored zero, with the
    chance (1 - density)^(reach k) if that many positions come before it. Zeros after the last weight
    are not stored.

    Parameters
    ----------
    positions : int
    density : Fraction
        Chance of a nonzero weight.
    reach : int
        Most positions from an entry to the next.
    """
    far = (1 - density) ** reach
    total, power = Fraction(0), Fraction(1)
    for before in range(reach, positions, reach):  # positions before + 1 to the end have room for one more
        power *= far
        total += power * (positions - before)
    return density * total


def _padding_of_a_column(outputs: int, density: Fraction) -> Fraction:
    """Of all PEs together: some have one row more than the others."""
    rows, longer = divmod(outputs, _PES)
    return longer * expected_padding(rows + 1, density) + (_PES - longer) * expected_padding(rows, density)
