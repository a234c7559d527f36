"""Compact execution equals masked dense execution, and counts what it multiplies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energysim.errors import ShapeError
from energysim.graph import Conv2d, GraphBuilder, LayerGraph
from energysim.inference import compact as module
from energysim.inference import plan, random_images, random_weights
from energysim.inference.compact import CompactConv
from energysim.inference.packing import pack_units
from energysim.inference.reference.convolution import conv2d
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel, random_support
from energysim.schemes import parse_scheme
from energysim.schemes.psconv import supports

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
VARIANTS = ("PS4_P4", "PS2_P6", "PS1_P9", *(f"PSD{kss}_P{p}" for kss in (4, 2, 1) for p in (8, 16)))


@st.composite
def kernels(draw: st.DrawFn, shape: tuple[int, int, int, int]) -> Kernel:
    m, c, r, s = shape
    kind = draw(st.sampled_from(["dense", "periodic", "random", "mask", "blocks"]))
    if kind == "dense":
        return DenseKernel(shape)
    if kind == "periodic":
        slot = st.sets(st.integers(0, r * s - 1)).map(sorted).map(tuple)
        return PeriodicKernel(shape, tuple(draw(st.lists(slot, min_size=1, max_size=7))))
    if kind == "random":
        return random_support(shape, draw(st.integers(0, r * s)), draw(st.integers(0, 99)), 1)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind == "mask":
        return MaskKernel(random.random(shape) < draw(st.floats(0, 1)))
    return MaskKernel(np.repeat(random.random((1, c, r, s)) < 0.5, m, axis=0))


@st.composite
def cases(draw: st.DrawFn) -> Any:
    g = draw(st.sampled_from([1, 2, 3]))
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pads = draw(st.tuples(*[st.integers(0, 3)] * 4))
    m, c = g * draw(st.integers(1, 5)), draw(st.integers(1, 4))
    kernel = draw(kernels((m, c, *window)))
    op = Conv2d(m, window, draw(PAIR), pads, draw(PAIR), g, draw(st.booleans()), kernel)
    shape = (draw(st.integers(1, 3)), g * c, *draw(st.tuples(*[st.integers(1, 7)] * 2)))
    try:
        op.infer((shape,))
    except ShapeError:
        assume(False)
    return op, shape, draw(st.integers(0, 2**32)), draw(st.sampled_from([1, 300, 1 << 21]))


@given(cases())
@settings(max_examples=150, deadline=None)
def test_compact_equals_masked_dense_for_any_kernel(case: Any) -> None:
    """Small integers, so that every order of summation gives the same; blocks of any size."""
    op, shape, seed, block = case
    random = np.random.default_rng(seed)
    x = random.integers(-4, 5, shape).astype(np.float32)
    weight = random.integers(1, 5, op.kernel.shape).astype(np.float32)
    bias = random.integers(-4, 5, op.out_channels).astype(np.float32) if op.bias else None
    parameters = {"weight": weight * op.kernel.mask()} | ({} if bias is None else {"bias": bias})
    (wanted,) = conv2d(op, (x,), parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_BYTES", block)
        found, macs = CompactConv(op, op.kernel, op.kernel.pack(weight), bias)(x)
    assert np.array_equal(found, wanted)
    assert found.dtype == np.float32
    assert macs == op.kernel.nonzeros * wanted.size // op.out_channels


@given(cases())
@settings(max_examples=100, deadline=None)
def test_units_hold_every_weight_once_and_no_other(case: Any) -> None:
    op, shape, *_ = case
    kernel, channels = op.kernel, shape[1] // op.groups
    numbers = np.arange(1, kernel.nonzeros + 1, dtype=np.float64)
    full = np.zeros(kernel.shape)
    total = 0
    for unit in pack_units(kernel, op.groups, numbers, np.dtype(np.float64)):
        assert unit.weights.shape == (*unit.filters.shape, len(unit.taps))
        assert unit.channels.shape == (len(unit.filters), len(unit.taps))
        total += unit.weights.size
        for b, f, k in np.ndindex(unit.weights.shape):
            filter_, channel, tap = unit.filters[b, f], unit.channels[b, k], int(unit.taps[k])
            group = filter_ // (op.out_channels // op.groups)
            assert group * channels <= channel < (group + 1) * channels
            at = (filter_, channel - group * channels, tap // op.window[1], tap % op.window[1])
            assert full[at] == 0
            full[at] = unit.weights[b, f, k]
    assert total == kernel.nonzeros
    assert np.array_equal(kernel.pack(full), numbers)


def one_layer(m: int, c: int, window: int, stride: int, size: int = 9) -> LayerGraph:
    b = GraphBuilder("layer", (5, size, size))
    x = b.conv(b.input, c, 1, name="first")
    return b.build(b.conv(x, m, window, stride, window // 2, name="conv"))


def agree(graph: LayerGraph, images: Any) -> None:
    weights = random_weights(graph)
    dense, packed = plan(graph, weights), plan(graph, weights, path="compact")
    wanted, found = dense.run(images), packed.run(images)
    assert isinstance(wanted, np.ndarray)
    assert np.abs(found - wanted).max() < 2e-5 * wanted.std()
    op: Any = graph.node("conv").op
    ((n, _, p, q),) = graph.with_batch(len(images)).output_shapes(graph.node("conv"))
    executed = packed.counter.nodes["conv"]
    assert executed.macs == n * p * q * op.layout(graph.input_shapes(graph.node("conv"))).nonzeros
    assert (executed.overhead, executed.counted) == (0, True)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_psconv_variant(variant: str, stride: int) -> None:
    """Channel counts that no period divides."""
    graph = parse_scheme(f"psconv:{variant}").apply(one_layer(21, 19, 3, stride)).graph
    assert graph.node("conv").op.kernel is not None  # type: ignore[attr-defined]
    agree(graph, random_images(graph, 2))


@pytest.mark.parametrize("window", range(1, 8))
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("scheme", ["dense", "psconv:PSD2_P8,windows=all", "psc:kss=3,windows=all"])
def test_windows_of_one_to_seven(window: int, stride: int, scheme: str) -> None:
    graph = parse_scheme(scheme).apply(one_layer(13, 10, window, stride)).graph
    agree(graph, random_images(graph, 3))


def test_windows_too_small_for_a_scheme_are_made_sparse_by_hand() -> None:
    """1 x 1 with a support that differs between windows, which no scheme gives."""
    base = one_layer(13, 10, 1, 1)
    kernel = PeriodicKernel((13, 10, 1, 1), ((0,), (), (0,)))
    op: Any = base.node("conv").op
    graph = base.with_operators(
        {"conv": Conv2d(op.out_channels, op.window, op.stride, op.padding, kernel=kernel)}
    )
    agree(graph, random_images(graph, 2))


def test_patterns_from_a_file(tmp_path: Path) -> None:
    text = 'schema: energysim-patterns/1\nwindow: [3, 3]\nslots: [[0, 1, 2], "000 111 000", [], [8]]\n'
    (tmp_path / "own.yaml").write_text(text)
    graph = parse_scheme(f"psconv:patterns={tmp_path / 'own.yaml'}").apply(one_layer(10, 7, 3, 1)).graph
    agree(graph, random_images(graph, 2))


def test_only_what_a_kernel_keeps_is_read() -> None:
    graph = parse_scheme("psconv").apply(one_layer(8, 8, 3, 1)).graph
    weights = random_weights(graph)
    images: Any = random_images(graph, 1)
    wanted = plan(graph, weights, path="compact").run(images)
    op: Any = graph.node("conv").op
    dirty = {**weights, "conv.weight": np.where(op.kernel.mask(), weights["conv.weight"], np.float32(99))}
    for path in ("reference", "compact"):
        found = plan(graph, dirty, path=path).run(images)  # type: ignore[arg-type]
        assert np.allclose(found, wanted, atol=1e-5)  # type: ignore[arg-type]


def test_packed_weights_take_the_space_of_nonzeros() -> None:
    kernel = PeriodicKernel((64, 64, 3, 3), supports(2, (3, 3)))
    op = Conv2d(64, (3, 3), kernel=kernel)
    conv = CompactConv(op, kernel, np.ones(kernel.nonzeros, np.float32))
    assert sum(unit.weights.size for unit in conv.units) == kernel.nonzeros == 64 * 64 * 2
    assert len(conv.units) == 6


def test_filters_without_weights_give_their_bias() -> None:
    mask = np.zeros((3, 2, 3, 3), np.bool_)
    mask[1, 0, 1, 1] = True
    kernel = MaskKernel(mask)
    op = Conv2d(3, (3, 3), padding=(1, 1, 1, 1), kernel=kernel)
    x = np.ones((2, 2, 4, 4), np.float32)
    found, macs = CompactConv(op, kernel, np.array([5], np.float32), np.array([1, 2, 3], np.float32))(x)
    assert [found[:, f].min() for f in range(3)] == [1, 7, 3]
    assert [found[:, f].max() for f in range(3)] == [1, 7, 3]
    assert macs == 32
