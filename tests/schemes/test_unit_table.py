"""One page: what every scheme makes of two 3x3 layers, in exact numbers (tests/data/unit_table.csv).

Layer A has 64 channels and 128 filters, layer B 128 of both; 28 x 28, stride 1, no bias. The figures were
derived by hand from the papers and their authors' code, not with this program. Columns of the table:

- ``macs``: multiply-adds with integers, additions of ternary weights included; ``float_macs``: in floating
  point besides; ``additions``: how many of ``macs`` only add;
- ``weights``: stored values, of ``width`` bits; ``meta``: bits beside them;
- ``expansion_macs``: multiply-adds that make weights; ``shared``: values stored once for the network;
- ``interpolation``: how many of ``macs`` this program counts as other operations, ``biases``: how many of
  ``weights`` it does not count (docs/conventions.md), for deformable convolutions;
- ``everywhere``: all layers are rewritten, as the layer's inputs lose channels too.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from schemes_family import Unit, unit

from energysim.schemes import SCHEMES

CHANNELS = {"A": 64, "B": 128}
TABLE = Path(__file__).parent.parent / "data" / "unit_table.csv"
with TABLE.open(newline="") as _file:
    ROWS = list(csv.DictReader(_file))
#: Schemes of the field that have no row of their own, and why.
WITHOUT = {
    "auto": "stores what it finds in real weights",
    "bfp": "changes activations only",
    "kwta": "changes activations only",
    "psc": "the random form of psconv; counts by hand in test_scheme_counts.py",
    "psconv": "counts of the papers in test_scheme_counts.py",
    "roots": "groups by depth; its rows are networks",
    "split": "a model of this program's own; counts by hand in test_scheme_split.py",
    "unstructured": "counts by hand in test_scheme_thinning.py",
}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['scheme']}-{row['layer']}" for row in ROWS])
def test_row(row: dict[str, str]) -> None:
    n = {key: int(row[key]) for key in list(row)[2:-1]}
    found = unit(row["scheme"], CHANNELS[row["layer"]], 128, everywhere=row["everywhere"] == "yes")
    assert Unit(
        found.macs - found.float_macs + n["interpolation"],
        found.weights * 8 / n["width"] + n["biases"],
        found.meta,
        found.float_macs,
        found.additions,
        found.expansion_macs,
        found.shared,
    ) == Unit(
        n["macs"],
        n["weights"],
        n["meta"],
        n["float_macs"],
        n["additions"],
        n["expansion_macs"],
        n["shared"],
    )
    assert found.other_ops >= n["interpolation"]


def test_lean_with_a_group_for_each_channel_needs_as_many_filters() -> None:
    """The cell of the table that says so (and that of ``imex``)."""
    for scheme in ("lean:groups=depthwise", "imex"):
        with pytest.raises(AssertionError, match="leaves the layer"):
            unit(scheme, 64, 128)


def test_every_scheme_has_a_row() -> None:
    rows = {row["scheme"].partition(":")[0] for row in ROWS}
    assert rows | set(WITHOUT) == set(SCHEMES.builtin)
    assert not rows & set(WITHOUT)
