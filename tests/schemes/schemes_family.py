"""What the tests of all schemes share: small networks, the two layers of the unit table, and their costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from energysim.graph import GraphBuilder, LayerGraph
from energysim.hardware import load_hardware
from energysim.report import Report
from energysim.schemes import SCHEMES, Scheme, kind_of, parse_scheme
from energysim.walker import estimate

#: The layer under test in every network here.
LAYER = "layer"
#: Read once: reading a specification takes longer than estimating a small network.
EDGE = load_hardware("edge45")


def members() -> list[str]:
    """Every member of every family that is built in."""
    return [member for name in sorted(SCHEMES.builtin) for member in kind_of(name).family]


def net(
    channels: int,
    filters: int,
    window: tuple[int, int] = (3, 3),
    size: tuple[int, int] = (9, 7),
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    bias: bool = True,
) -> LayerGraph:
    """A first convolution and ReLU, the layer under test and ReLU, a 3x3 convolution, a linear layer."""
    if padding is None:
        half = [(w - 1) * d for w, d in zip(window, dilation, strict=True)]
        padding = (half[0] // 2, half[0] - half[0] // 2, half[1] // 2, half[1] - half[1] // 2)
    name = f"{channels}to{filters}_{window}_{size}_{stride}_{padding}_{dilation}_{groups}_{bias}"
    b = GraphBuilder("".join(c if c.isalnum() else "_" for c in name), input=(3, *size))
    x = b.relu(b.conv(b.input, channels, 3, padding=1, name="first"), name="relu1")
    x = b.conv(
        x,
        filters,
        window,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        name=LAYER,
    )
    x = b.relu(x, name="relu2")
    x = b.relu(b.conv(x, 9, 3, padding=1, name="last"), name="relu3")
    return b.build(b.linear(b.flatten(b.global_pool(x)), 4, name="fc"))


#: What nothing divides, what everything divides, and what has no symmetry.
NETS = (
    net(64, 64, size=(6, 5)),
    net(32, 48, size=(7, 9), bias=False),
    net(16, 16, size=(5, 5)),
    net(13, 20),
    net(20, 13, size=(11, 8), stride=(2, 1), padding=(1, 0, 2, 1)),
    net(24, 16, groups=2, size=(8, 6), bias=False),
    net(40, 33, (5, 3), (10, 9), stride=(1, 2)),
    net(32, 32, size=(8, 7), stride=(2, 2)),
    net(17, 9, size=(10, 9), dilation=(1, 2)),
    net(32, 24, (1, 1), stride=(2, 1)),
    net(16, 16, groups=16),
)


def random_net(seed: int) -> LayerGraph:
    """A network whose sizes are drawn; the same for ever for one seed."""
    drawn = iter((np.random.Philox(key=np.array([seed, 7], np.uint64)).random_raw(32) >> 8).tolist())

    def pick(low: int, high: int) -> int:
        return low + next(drawn) % (high - low + 1)

    groups = (1, 1, 1, 2, 3)[pick(0, 4)]
    window = pick(2, 4), pick(1, 4)
    dilation = (1, pick(1, 2))
    padding = (pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2))
    size = pick(6, 12), pick(8, 13)
    channels, filters = groups * pick(4, 30), groups * pick(1, 24)
    return net(
        channels,
        filters,
        window,
        size,
        stride=(pick(1, 3), pick(1, 2)),
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bool(pick(0, 1)),
    )


@dataclass(frozen=True)
class Unit:
    """One row of a unit table: multiply-adds, stored values, bits beside them, and the rest."""

    macs: int
    weights: Fraction
    meta: int
    float_macs: int = 0
    additions: int = 0
    expansion_macs: int = 0
    shared: Fraction = Fraction(0)
    other_ops: int = field(default=0, compare=False)


def unit(
    scheme: str | Scheme,
    channels: int,
    filters: int,
    bits: int = 8,
    stride: int = 1,
    *,
    everywhere: bool = False,
) -> Unit:
    """The cost of one 3x3 layer on 28x28 without bias (``unit(s, 64, 128)`` and ``unit(s, 128, 128)``).

    ``weights`` are stored values where they have ``bits`` bits: the fields of a scheme with another width
    are its bits divided by it. ``everywhere``: all layers of the network are rewritten, not only this one.
    """
    graph = net(channels, filters, size=(28, 28), stride=(stride, stride), padding=(1, 1, 1, 1), bias=False)
    parsed = parse_scheme(scheme)
    only = parsed.apply(graph, [LAYER])
    assert LAYER in only.changed or str(parsed) == "dense", f"{scheme} leaves the layer: {only.left}"
    run = estimate(graph, parsed if everywhere else f"{LAYER}={parsed}", EDGE, bits=bits).runs[-1]
    rows = [row for row in run.layers if row.origin == LAYER]
    shared = sum(row.weight_bits for row in run.layers if row.kind == "Table")
    return Unit(
        sum(row.macs for row in rows),
        Fraction(sum(row.weight_bits for row in rows), bits),
        sum(row.side_bits for row in rows),
        sum(row.float_macs for row in rows),
        sum(row.additions for row in rows),
        sum(row.expansion_macs for row in rows),
        Fraction(shared, bits),
        sum(row.other_ops for row in rows),
    )


def stored_bits(report: Report, scheme: str) -> int:
    """Weights with all that stands beside them, of the whole network."""
    return report.totals(str(parse_scheme(scheme))).stored_weight_bits


def never_more(schemes: list[str], graph: LayerGraph) -> None:
    """Assert that each of these stores no more than the one before: from least to most compression."""
    report = estimate(graph, schemes, EDGE)
    sizes = [stored_bits(report, scheme) for scheme in schemes]
    assert sizes == sorted(sizes, reverse=True), dict(zip(schemes, sizes, strict=True))


def same_cost(scheme: str, graph: LayerGraph) -> None:
    """Assert that a scheme at its identity setting costs exactly what the dense network costs."""
    report = estimate(graph, scheme, EDGE)
    dense, found = report.totals("dense"), report.totals(report.schemes[-1])
    assert found == dense, (found, dense)
