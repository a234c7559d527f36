"""csc: unit table, reach of every output, the formulas of the chain, linear layers, storage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, unit

from energysim.errors import FormatError, SchemeError
from energysim.formats import decode, get_format
from energysim.graph import Conv2d, GraphBuilder, Linear
from energysim.kernels import CyclicKernel, MaskKernel
from energysim.schemes import own_arrays, parse_scheme
from energysim.schemes.csc import chain_steps
from energysim.validate import validate
from energysim.walker import estimate
from energysim.weight_sets import rewritten_weights


@pytest.mark.parametrize(
    ("scheme", "first", "second"),
    [
        ("csc:fan=4", (4_014_080, 5_120), (4_816_896, 6_144)),
        ("csc:fan=8", (7_626_752, 9_728), (8_830_976, 11_264)),
        # (C*n + (L - 2)*C + M)*F*Q with the window first
        ("csc:fan=4,window=first", (768 * 4 * 784, 768 * 4), (1_536 * 4 * 784, 1_536 * 4)),
    ],
)
def test_unit_table(scheme, first, second):
    assert unit(scheme, 64, 128) == Unit(*first, 0)
    assert unit(scheme, 128, 128) == Unit(*second, 0)


def test_window_first_takes_the_stride():
    """All layers but the first then run on the smaller map."""
    assert unit("csc:fan=4,window=first", 64, 128, stride=2).macs == (64 * 9 + 64 + 128) * 4 * 14 * 14
    assert unit("csc:fan=4", 64, 128, stride=2).macs == 2 * 64 * 4 * 28 * 28 + 128 * 4 * 9 * 14 * 14


@pytest.mark.parametrize("channels", [2, 3, 5, 7, 16, 23, 64, 96, 100, 128, 1024])
@pytest.mark.parametrize("fan", [2, 3, 4, 5, 8, 16])
def test_every_output_reaches_every_input(channels, fan):
    if fan >= channels:
        pytest.skip("one layer holds all of them")
    steps = chain_steps(channels, fan)
    assert len(steps) == next(n for n in range(1, 20) if fan**n >= channels)
    reached = np.eye(channels)  # ways to reach, whole numbers
    for step in steps:
        own = CyclicKernel((channels, channels, 1, 1), fan, step).mask()[:, :, 0, 0]
        assert (own.sum(axis=1) == fan).all()
        reached = own.astype(np.float64) @ reached
    assert (reached > 0).all()
    assert reached.sum() == channels * fan ** len(steps)
    if fan ** len(steps) == channels:  # each by exactly one way
        assert (reached == 1).all()


def linear_net():
    b = GraphBuilder("square", (1024,))
    return b.build(b.linear(b.relu(b.linear(b.input, 1024, name="square")), 10, name="fc"))


def test_square_linear_layer():
    """N = 1024, F = 4, L = 5: 20,480 weights against 1,048,576, 51.2 times fewer."""
    run = estimate(linear_net(), "square=csc:fan=4").runs[-1]
    rows = [row for row in run.layers if row.origin == "square"]
    macs = [row.macs for row in rows if row.kind == "Linear"]
    assert macs == [4096] * 5
    assert sum(row.weight_bits for row in rows) == 20_480 * 8
    assert sum(row.side_bits for row in rows) == 0
    assert sum(row.dense_macs for row in rows) == 1_048_576


@pytest.mark.parametrize("between", ["none", "relu"])
@pytest.mark.parametrize("sequence", [False, True])
def test_linear_layers(between, sequence):
    b = GraphBuilder("linear", (5, 23) if sequence else (23,))
    x = b.relu(b.linear(b.input, 29, name="one"))
    graph = b.build(b.linear(x, 31, bias=False, name="two"))
    scheme = parse_scheme(f"csc:fan=3,between={between}")
    rewrite = scheme.apply(graph)
    assert rewrite.changed == ("one", "two")
    assert rewrite.trace["one"].exactness == ("E1" if between == "none" else "E3")
    assert validate(graph, scheme, inputs=2).passed
    recipe = rewrite.steps[0][0]
    if between == "none":
        return
    weights = {k: a.astype(np.float64) for k, a in rewritten_weights(graph, rewrite, 1).items()}
    own = own_arrays(recipe, weights)
    z = x = np.random.default_rng(1).standard_normal((2, *graph.tensors["input"].shape[1:]))
    for name in ("link1.weight", "link2.weight", "weight"):
        part = "one" if name == "weight" else f"one.{name.partition('.')[0]}"
        kept = np.where(rewrite.graph.node(part).op.kernel.mask()[:, :, 0, 0], own[name], 0)
        z = z @ kept.T
        z = z + own["bias"] if name == "weight" else np.maximum(z, 0)
    np.testing.assert_allclose(recipe.reference(x, own), z, rtol=0, atol=1e-12)


def test_the_chain_by_hand():
    """Two layers of F = 2 over 4 channels: out[i] = sum over j, k of w2[i, j] w1[i + 2j, k] x[i + 2j + k]."""
    graph = net(4, 4, (1, 1), size=(1, 1), bias=False, padding=(0, 0, 0, 0))
    rewrite = parse_scheme(f"{LAYER}=csc:fan=2,between=relu").apply(graph)
    assert not rewrite.changed  # 8 + 8 weights are no fewer than 16
    graph = net(4, 5, (1, 1), size=(1, 1), bias=False, padding=(0, 0, 0, 0))
    rewrite = parse_scheme("csc:fan=2").apply(graph, [LAYER])
    (recipe,) = rewrite.steps[0]
    rng = np.random.default_rng(4)
    w1, w2 = rng.standard_normal((4, 4, 1, 1)), rng.standard_normal((5, 4, 1, 1))
    full = recipe.equivalent({"link1.weight": w1, "weight": w2})["weight"][:, :, 0, 0]
    expected = np.zeros((5, 4))
    for i in range(5):
        for j in range(2):
            middle = (i + 2 * j) % 4
            for k in range(2):
                expected[i, (middle + k) % 4] += w2[i, middle, 0, 0] * w1[middle, (middle + k) % 4, 0, 0]
    np.testing.assert_allclose(full, expected, rtol=0, atol=1e-15)


def test_stored_as_values_only_on_any_hardware():
    """Fan and step are configuration: no bit beside the values, whatever the hardware decompresses."""
    graph = net(64, 64, size=(6, 5))
    for hardware in ("edge45", "eyeriss"):
        run = estimate(graph, f"{LAYER}=csc:fan=4", hardware, bits=16).runs[-1]
        rows = [row for row in run.layers if row.origin == LAYER]
        assert sum(row.weight_bits for row in rows) == (2 * 64 * 4 + 64 * 4 * 9) * 16
        assert sum(row.side_bits for row in rows) == 0


def test_storage_format():
    kernel = CyclicKernel((5, 7, 3, 1), 3, 2)
    fmt = get_format(kernel.storage)
    assert str(fmt) == "cyclic:fan=3,step=2"
    array = np.where(kernel.mask(), np.random.default_rng(1).integers(-8, 8, kernel.shape), 0)
    encoded = fmt.encode(array, 4, kernel.mask())
    assert encoded.payload_bits == 5 * 3 * 3 * 4 == fmt.size_bits(kernel.mask(), 4).total_bits
    assert fmt.size_bits(kernel.mask(), 4).side_bits == 0
    assert np.array_equal(decode(encoded.data), array)
    other = CyclicKernel((5, 7, 3, 1), 3, 1).mask()
    with pytest.raises(FormatError, match="exactly the kernels of cyclic:fan=3,step=2"):
        fmt.size_bits(other, 4)
    with pytest.raises(FormatError, match="3 channels in steps of 2 of the 4"):
        fmt.size_bits(np.ones((5, 4), dtype=bool), 4)
    for cut in range(len(encoded.data)):
        with pytest.raises(FormatError):
            fmt.decode(encoded.data[:cut])


@pytest.mark.parametrize(("fan", "step"), [(0, 1), (1, 0), (4, 3), (11, 1)])
def test_kernels_that_reach_around(fan, step):
    with pytest.raises(SchemeError, match="cannot read"):
        CyclicKernel((4, 9, 1, 1), fan, step)


def test_transposed_kernel_is_the_backward_pass():
    kernel = CyclicKernel((6, 9, 2, 3), 3, 4)
    turned = kernel.transpose()
    assert isinstance(turned, MaskKernel)
    assert np.array_equal(turned.mask(), kernel.mask().transpose(1, 0, 2, 3)[..., ::-1, ::-1])


def test_what_is_left_and_why():
    left = {e.node: e.reason for e in parse_scheme("csc:fan=8").apply(net(8, 40)).left}
    assert left[LAYER] == "a fan-in of 8 is all of its 8 channels"
    left = {e.node: e.reason for e in parse_scheme("csc:fan=4").apply(net(24, 16, groups=2)).left}
    assert left[LAYER] == "has 2 groups already"
    left = {e.node: e.reason for e in parse_scheme("csc:fan=2").apply(net(64, 2, (1, 1))).left}
    assert left[LAYER] == "a chain of 6 layers would hold no fewer weights"


def test_more_compression_and_identity():
    never_more(["dense", "csc:fan=32", "csc:fan=16", "csc:fan=8", "csc:fan=4"], NETS[0])
    for graph in NETS:
        same_cost("csc:fan=65536", graph)


def test_it_may_be_said_for_whole_networks():
    rewrite = parse_scheme("csc").apply(linear_net())
    kinds = [type(rewrite.graph.node(name).op) for name in rewrite.trace]
    assert kinds.count(Linear) == 5 + 1
    assert Conv2d not in kinds
    assert math.prod(rewrite.graph.node("square").op.kernel.shape) == 1024 * 1024


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("csc:fan=1", "fan of scheme 'csc' is a whole number from 2 to 65536, not 1"),
        ("csc:between=rleu", "did you mean 'relu'"),
        ("csc:window=midle", "window of scheme 'csc' is last or first"),
        ("csc:fam=4", "did you mean 'fan'"),
        ("csc+nm:2:4", "contradicts itself: .* each decide which weights exist"),
        ("shift+csc", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError, match=message):
        parse_scheme(text)
