"""Names that several test modules share; fixtures are in conftest.py."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

import energysim
from energysim.graph import GraphBuilder, LayerGraph
from energysim.report import Run

#: The folder that holds the package under test, wherever the tests run.
HOME = str(Path(energysim.__file__).resolve().parent.parent)

#: Networks that take another program ten seconds and more, and are like smaller ones of the zoo.
LARGE = frozenset(
    {"vgg11", "vgg13", "vgg16", "vgg19", "alexnet_grouped", "resnet101", "resnet152", "vit_b_16"}
)

#: An extra: the README's test command does without it, ``.ci/run`` installs it and runs these tests.
NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not NUMBA, reason="numba is not installed: an extra")
#: A device that takes nothing; errors of a full disk that are made by hand are tested everywhere.
needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")

Process = Callable[..., "subprocess.CompletedProcess[str]"]


def toy_graph(batch: int = 1) -> LayerGraph:
    """Convolution, ReLU, pooling, linear layer: small enough for a sheet of paper."""
    b = GraphBuilder("toy", input=(2, 8, 8), batch=batch)
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv"), name="relu")
    x = b.pool(x, 2, name="pool")
    return b.build(b.linear(b.flatten(x, name="flat"), 10, name="fc"))


def counted(run: Run, operations: bool = True) -> list[tuple[object, ...]]:
    """What a run counts, row by row, without names: multiply-adds, stored bits, cycles, every access.

    Rows that count nothing are left out: views (one may be written as several), dropouts. Without
    ``operations`` those that are no multiply-adds are left out too: a folded batch norm may have
    become a bias.
    """
    accesses: dict[str, list[tuple[object, ...]]] = {}
    for a in run.accesses:
        if operations or a.level != "vector":
            key = (a.level, a.tensor, a.action, a.elements, a.bits, a.energy_aj)
            accesses.setdefault(a.node, []).append(key)
    found: list[tuple[object, ...]] = []
    for row in run.layers:
        own = accesses.get(row.node, [])
        if row.macs or own:
            macs = (row.dense_macs, row.macs, row.effective_macs, row.other_ops if operations else 0)
            stored = (row.weight_bits, row.side_bits, row.compulsory_bits, row.cycles, row.mapping)
            found.append((row.part, row.output_shape, *macs, *stored, *own))
    return found


def heed_interrupts() -> None:
    """Before a child starts: what runs in the background of a script is started deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def networks(names: Iterable[str], but: Collection[str] = ()) -> list[Any]:
    """Return parameters: the names, the large ones of them for before a release, those of ``but`` always."""
    return [
        pytest.param(name, marks=[pytest.mark.release] if name in LARGE and name not in but else [])
        for name in names
    ]


def blocks(numbers: range, usual: int = 4) -> list[Any]:
    """Return parameters: blocks of random cases, all but the first few for before a release."""
    return [
        pytest.param(number, marks=[] if place < usual else [pytest.mark.release])
        for place, number in enumerate(numbers)
    ]
