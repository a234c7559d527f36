"""Small hierarchies and layers for the tests of this folder."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, prod

import numpy as np

from energysim.hardware.core import Constant
from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.kernels import DenseKernel, MaskKernel, PeriodicKernel
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.windows import Axis
from energysim.workload import LoopNest

WEIGHTS, INPUTS, OUTPUTS = TENSORS
DIMS = "NGMCPQRS"


def pj(value: object, path: str = "") -> Constant:
    return Constant(Fraction(str(value)), "pJ", "a test", "assumed", None, path=path)


def bits_per_cycle(value: object) -> Constant:
    return Constant(Fraction(str(value)), "bit/cycle", "a test", "assumed", None)


def level(name: str, words: int | None, energy: object, **more: object) -> TemporalLevel:
    """A level of 16-bit words with one energy for everything."""
    e = pj(energy, f"levels.{name}")
    return TemporalLevel(name, None if words is None else 16 * words, 16, e, e, e, **more)


#: The Eyeriss-like array of the Timeloop cases.
EYERISS168 = Hierarchy(
    (
        level("DRAM", None, 200),
        level("GLB", 55296, 6, bypass=(WEIGHTS,)),
        SpatialAxis("X", 14, "QM"),
        SpatialAxis("Y", 12, "SCM"),
        level("input_rf", 12, 1, keep=(INPUTS,), bypass=(WEIGHTS, OUTPUTS), loops=""),
        level("weight_rf", 224, 1, keep=(WEIGHTS,), bypass=(INPUTS, OUTPUTS)),
        level("psum_rf", 24, 1, keep=(OUTPUTS,), bypass=(WEIGHTS, INPUTS)),
    ),
    rules=(("returned_sums", "all"),),
)


def conv(filters: int, channels: int, size: int, window: int = 3, stride: int = 1) -> LoopNest:
    """A square dense convolution with half a window of padding."""
    axis = Axis(size, size * stride, window, stride, 1, window // 2)
    return LoopNest(1, 1, filters, channels, axis, axis, DenseKernel((filters, channels, window, window)))


def random_axis(rng: random.Random) -> Axis:
    outputs, window = rng.choice([1, 2, 3, 4, 5, 6]), rng.choice([1, 1, 2, 3])
    stride, dilation = rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2])
    before = rng.randrange(0, (window - 1) * dilation + 1)
    reach = (outputs - 1) * stride + (window - 1) * dilation + 1
    inputs = max(1, reach - before - rng.randrange(0, before + 1) + rng.choice([0, 0, 1]))
    return Axis(outputs, inputs, window, stride, dilation, before)


def random_nest(rng: random.Random, most: int = 2500, dense: bool = False) -> LoopNest:
    while True:
        n, g = rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 1, 2])
        m, c = rng.choice([1, 2, 3, 4, 6]), rng.choice([1, 2, 3, 4, 6])
        rows, cols = random_axis(rng), random_axis(rng)
        shape = (g * m, c, rows.window, cols.window)
        if n * prod(shape) * rows.outputs * cols.outputs > most:
            continue
        kind = "dense" if dense else rng.choice(["dense", "dense", "periodic", "mask"])
        taps = rows.window * cols.window
        if kind == "dense":
            kernel: object = DenseKernel(shape)
        elif kind == "periodic":
            slots = [
                tuple(sorted(rng.sample(range(taps), rng.randrange(0, taps + 1))))
                for _ in range(rng.choice([1, 2, 3]))
            ]
            kernel = PeriodicKernel(shape, tuple(slots))
        else:
            chosen = np.random.default_rng(rng.randrange(1 << 30)).random(shape) < rng.random()
            kernel = MaskKernel(chosen)
        return LoopNest(n, g, m, c, rows, cols, kernel)


def sizes_of(nest: LoopNest) -> dict[str, int]:
    values = (
        nest.batch, nest.groups, nest.filters, nest.channels,
        nest.rows.outputs, nest.cols.outputs, nest.rows.window, nest.cols.window,
    )  # fmt: skip
    return dict(zip(DIMS, values, strict=True))


def random_hierarchy(rng: random.Random, axes: int = 3, inner: int = 3) -> Hierarchy:
    """A random order of one to three inner levels and up to three axes."""
    parts: list[str] = ["level"] * rng.randrange(1, inner + 1) + ["axis"] * rng.randrange(0, axes + 1)
    rng.shuffle(parts)
    nodes: list[TemporalLevel | SpatialAxis] = [level("L0", None, 200)]
    for number, part in enumerate(parts, start=1):
        if part == "axis":
            shared = tuple(t for t in TENSORS if rng.random() < 0.7)
            nodes.append(SpatialAxis(f"A{number}", 10**6, shared=shared, diagonal=rng.random() < 0.3))
        else:
            out = tuple(t for t in TENSORS if rng.random() < 0.3)
            nodes.append(level(f"L{number}", None, 6, bypass=out if len(out) < 3 else ()))
    return Hierarchy(tuple(nodes), rules=(("returned_sums", rng.choice(["one", "all"])),))


def random_mapping(rng: random.Random, hierarchy: Hierarchy, nest: LoopNest, imperfect: bool) -> Mapping:
    """A random factorisation of every dimension over all levels and axes, in random orders."""
    blocks: dict[str, list[Loop]] = {node.name: [] for node in hierarchy.nodes}
    inner = list(hierarchy.nodes[1:])
    for dim, size in sizes_of(nest).items():
        rest = rng.randrange(1, size + 1) if imperfect and rng.random() < 0.5 else size
        covered = 1
        for node in rng.sample(inner, len(inner)):
            factor = rng.choice([d for d in range(1, rest + 1) if rest % d == 0])
            blocks[node.name].append(Loop(dim, factor))
            rest //= factor
            covered *= factor
        blocks["L0"].append(Loop(dim, ceil(size / covered)))
    for loops in blocks.values():
        rng.shuffle(loops)
    bypass = []
    for node in hierarchy.levels[1:]:
        free = [t for t in TENSORS if t not in node.bypass and t not in node.keep]
        out = [t for t in free if rng.random() < 0.3]
        if len(out) + len(node.bypass) < 3:
            bypass += [(node.name, t) for t in out]
    return Mapping(tuple((n, tuple(ls)) for n, ls in blocks.items()), tuple(bypass))
