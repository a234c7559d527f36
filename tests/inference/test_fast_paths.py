"""Every path of the fast plan against a plain convolution in float64 with masked weights."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from support import needs_numba

from energysim.inference.fast.choose import _COMPILED, PATHS
from energysim.inference.fast.geometry import Convolution, Geometry
from energysim.inference.fast.layout import SLACK, Plane, zeros
from energysim.inference.fast.path import Buffers, Path, Share
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel, random_support
from energysim.schemes.psconv import PSConv

TOLERANCE = 2e-5
#: A transform of F(4 x 4) loses about one and a half digits.
TRANSFORM = 2e-4


def names(compiled: bool) -> list[Any]:
    """The paths by name, those that need numba marked."""
    return [n for n, p in PATHS.items() if issubclass(p, _COMPILED) == compiled]


ALL = [*names(False), *(pytest.param(n, marks=needs_numba) for n in names(True))]


def plain(x: np.ndarray, conv: Convolution) -> np.ndarray:
    """Convolution by its definition, a loop over taps in float64; (N, M, P, Q)."""
    g = conv.geometry
    rows, cols = g.target.height, g.target.width
    far = 64
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (far, far), (far, far)))
    out = np.zeros((len(x), g.filters, rows, cols)) + conv.bias.astype(np.float64)[:, None, None]
    weights = np.where(conv.kernel.mask(), conv.weights, 0).astype(np.float64)
    each, per = g.filters // g.groups, g.channels // g.groups
    for r, s in itertools.product(range(g.window[0]), range(g.window[1])):
        y, z = far + r * g.dilation[0] - g.padding[0], far + s * g.dilation[1] - g.padding[1]
        part = padded[
            :, :, y : y + rows * g.stride[0] : g.stride[0], z : z + cols * g.stride[1] : g.stride[1]
        ]
        for group in range(g.groups):
            own = slice(group * each, (group + 1) * each)
            taken = part[:, group * per : (group + 1) * per]
            out[:, own] += np.einsum("mc,nchw->nmhw", weights[own, :, r, s], taken)
    return out


def convolution(
    kernel: Kernel,
    size: tuple[int, int] = (9, 11),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    batch: int = 1,
    clamp: tuple[float, float] = (-np.inf, np.inf),
    residual: bool = False,
) -> Convolution:
    """A convolution with random weights; padding (top, bottom, left, right), "same" by default."""
    window, channels = kernel.shape[2:], kernel.shape[1] * groups
    half = [d * (w - 1) // 2 for w, d in zip(window, dilation, strict=True)]
    pads = padding or (half[0], half[0], half[1], half[1])
    outputs = [
        (n + a + b - d * (w - 1) - 1) // s + 1
        for n, a, b, d, w, s in zip(size, pads[::2], pads[1::2], dilation, window, stride, strict=True)
    ]
    source = Plane(*size, pads)
    if tuple(outputs) != size or stride != (1, 1):
        beyond = dilation[1] * (window[1] - 1) // stride[1]
        target = Plane(outputs[0], outputs[1], (1, 0, 1, beyond))
    else:
        target = source
    rng = np.random.default_rng(sum(kernel.shape))
    fan = max(1.0, kernel.nonzeros / kernel.shape[0])
    weights = (rng.standard_normal(kernel.shape) * kernel.mask() / np.sqrt(fan)).astype(np.float32)
    bias = rng.standard_normal(kernel.shape[0]).astype(np.float32)
    g = Geometry(
        *(batch, channels, kernel.shape[0], groups, source, target),
        *(window, stride, dilation, (pads[0], pads[2])),
    )
    return Convolution(g, kernel, weights, bias, *clamp, residual)


def check(path: Path, workers: int = 1) -> None:
    """Run a path on dirty buffers and compare pixels, and that nothing else of the rows is needed."""
    conv, g = path.conv, path.conv.geometry
    rng = np.random.default_rng(7)
    x = rng.standard_normal((g.batch, g.channels, g.source.height, g.source.width)).astype(np.float32)
    source = zeros(g.batch, g.channels, g.source.stride)
    g.source.pixels(source)[...] = x
    target = np.full((g.batch, g.filters, g.target.stride), np.nan, np.float32)
    residual = None
    if conv.residual:
        residual = zeros(*target.shape)
        residual[...] = rng.standard_normal(target.shape)
    spaces = [np.full(path.scratch + SLACK, 1e3, np.float32) for _ in range(workers)]
    calls = [
        call
        for worker in range(workers)
        for call in path.bind(Buffers(source, target, residual, spaces[worker], Share(worker, workers)))
    ]
    expected = plain(x, conv)
    if residual is not None:
        expected += g.target.pixels(residual)
    scale = expected.std()
    expected = np.clip(expected, conv.low, conv.high)
    for _ in range(2):
        for call in calls:
            call()
        error = np.abs(g.target.pixels(target) - expected).max() / scale
        assert error < (TRANSFORM if path.name.endswith("winograd4") else TOLERANCE), path.name
    # What lies before the first pixel and behind the last row's gap belongs to the padding.
    assert np.isnan(target[..., : g.target.head]).all()
    assert np.isnan(target[..., g.target.end :]).all()


def psconv(kss: int, period: int, dense: int, shape: tuple[int, int, int, int]) -> PeriodicKernel:
    """The kernel that ``psconv`` gives a layer."""
    found = PSConv(kss, period, dense, "all").kernel("layer", shape)
    assert isinstance(found, PeriodicKernel)
    return found


def cyclic(period: int, kss: int, taps: int = 9) -> tuple[tuple[int, ...], ...]:
    """Slots of consecutive taps around the window."""
    return tuple(tuple(sorted((p + i) % taps for i in range(kss))) for p in range(period))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dense", [0, 1])
@pytest.mark.parametrize("kss", [1, 2, 4])
def test_psconv_of_every_period(name: str, stride: int, dense: int, kss: int) -> None:
    """Channels that no period divides, odd sizes."""
    for period in (4, 6, 8, 9, 16):
        conv = convolution(psconv(kss, period, dense, (21, 13, 3, 3)), stride=(stride, stride))
        if PATHS[name].fits(conv):
            check(PATHS[name](conv))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("window", [(1, 1), (1, 7), (2, 2), (3, 5), (5, 5), (7, 7)])
def test_windows(name: str, window: tuple[int, int]) -> None:
    taps = window[0] * window[1]
    kernels = [DenseKernel((10, 6, *window))]
    if taps > 1:
        kernels.append(PeriodicKernel((10, 6, *window), cyclic(6, 2, taps)))
    for kernel, stride in itertools.product(kernels, [(1, 1), (2, 1), (2, 3)]):
        conv = convolution(kernel, (13, 10), stride)
        if PATHS[name].fits(conv):
            check(PATHS[name](conv))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "options",
    [
        {"batch": 3},
        {"batch": 3, "stride": (2, 2)},
        {"batch": 3, "size": (2, 2)},
        {"size": (1, 1)},
        {"padding": (0, 0, 0, 0)},
        {"padding": (2, 1, 0, 2)},
        {"padding": (0, 2, 2, 1), "stride": (2, 2)},
        {"dilation": (2, 1)},
        {"dilation": (2, 3), "stride": (2, 2)},
        {"clamp": (0.0, np.inf)},
        {"clamp": (0.0, 1.0), "residual": True, "batch": 2},
        {"size": (40, 37), "residual": True},
    ],
    ids=str,
)
def test_geometry(name: str, options: dict[str, Any]) -> None:
    shape = (20, 18, 3, 3)
    for kernel in (DenseKernel(shape), PeriodicKernel(shape, cyclic(8, 2))):
        conv = convolution(kernel, **options)
        if PATHS[name].fits(conv):
            check(PATHS[name](conv))


@pytest.mark.parametrize("name", ALL)
def test_workers_share_all_of_the_work(name: str) -> None:
    for size, batch in (((30, 31), 1), ((5, 6), 3), ((1, 2), 1)):
        for kernel in (DenseKernel((40, 17, 3, 3)), PeriodicKernel((40, 17, 3, 3), cyclic(6, 4))):
            conv = convolution(kernel, size, batch=batch, residual=True)
            if PATHS[name].fits(conv):
                for workers in (2, 3):
                    check(PATHS[name](conv), workers)


@pytest.mark.parametrize("name", ["winograd2", "winograd4"])
@pytest.mark.parametrize("limit", [1, 1500, 4000])
@pytest.mark.parametrize("filters", [16, 67, 96])
def test_products_of_tiles_are_cut(
    name: str, limit: int, filters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 16, 67 (a prime: one block) and 48 filters; tiles in one to as many parts as there are."""
    monkeypatch.setattr("energysim.inference.fast.winograd._SMALL", limit)
    for size, batch in (((13, 27), 1), ((4, 5), 2)):
        conv = convolution(DenseKernel((filters, 9, 3, 3)), size, batch=batch, residual=True, clamp=(0, 1))
        path = PATHS[name](conv)
        assert path.packed[0].shape[1:] == ((2, 9, 48) if filters == 96 else (1, 9, filters))
        check(path, 2)


@pytest.mark.parametrize("name", ALL)
def test_groups_masks_and_empty_slots(name: str) -> None:
    empty = PeriodicKernel((12, 9, 3, 3), ((0, 1), (), (2, 4, 5), (7,), (8,)))
    bare = np.zeros((6, 5, 3, 3), np.bool_)
    bare[::2, 1:3, 1, :2] = True
    cases = [
        convolution(empty),
        convolution(MaskKernel(bare)),
        convolution(random_support((7, 5, 3, 3), 4, 1, 1), stride=(2, 2)),
        convolution(DenseKernel((12, 3, 3, 3)), groups=4),
        convolution(PeriodicKernel((12, 3, 3, 3), cyclic(4, 2)), groups=4),
        convolution(PeriodicKernel((12, 3, 3, 3), cyclic(5, 2)), groups=2, stride=(2, 2), batch=2),
        convolution(DenseKernel((12, 1, 3, 3)), groups=12, batch=2, residual=True),
        convolution(DenseKernel((12, 1, 5, 3)), groups=12, stride=(2, 2)),
    ]
    for conv in cases:
        if PATHS[name].fits(conv):
            check(PATHS[name](conv))


@pytest.mark.parametrize("name", [n for n in ALL if "winograd" not in str(n)])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_tables_a_loop_walks_hold_every_weight_once(name: str, stride: int) -> None:
    for groups, kernel in (
        (1, psconv(2, 8, 1, (21, 13, 3, 3))),
        (1, DenseKernel((9, 4, 3, 3))),
        (2, PeriodicKernel((12, 3, 3, 3), cyclic(5, 2))),
        (6, DenseKernel((6, 1, 3, 3))),
    ):
        conv = convolution(kernel, stride=(stride, stride), groups=groups)
        if not PATHS[name].fits(conv):
            continue
        if name in ("im2col", "taps") and not kernel.is_dense:
            continue
        path = PATHS[name](conv)
        g = conv.geometry
        found = np.zeros((kernel.shape[0], g.channels, 9), np.int64)
        for walk in path.walks():
            assert walk.overhead(g.pixels) >= 0
            np.add.at(found, (walk.filters[:, None], walk.channels, walk.taps), 1)
        per = g.channels // g.groups
        expected = np.zeros_like(found)
        for f in range(g.filters):
            group = f // (g.filters // g.groups)
            expected[f, group * per : (group + 1) * per] = kernel.mask()[f].reshape(per, 9)
        assert (found == expected).all()
        assert sum(w.macs(g.pixels) for w in path.walks()) == kernel.nonzeros * g.pixels


@pytest.mark.parametrize("name", [n for n in ALL if str(n) in ("gather", "fancy", "run", "pair", "scatter")])
def test_compact_paths_hold_nothing_but_existing_weights(name: str) -> None:
    kernel = psconv(2, 8, 0, (24, 16, 3, 3))
    path = PATHS[name](convolution(kernel))
    assert sum(a.size for a in path.packed) == kernel.nonzeros
