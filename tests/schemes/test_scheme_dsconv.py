"""dsconv: unit table, kernel bytes of ResNet-50, integers and scales by hand and block by block, messages."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, unit

from energysim.errors import SchemeError, SpecError
from energysim.formats.bits import BitReader, BitWriter
from energysim.graph import Conv2d
from energysim.inference.reference import run_operator
from energysim.resources import data_folder
from energysim.schemes import derived_weights, parse_scheme, settled_weights
from energysim.schemes.dsconv import quantised
from energysim.walker import estimate
from energysim.weight_sets import WeightSet, uncalibrated
from energysim.zoo import load_model


def test_unit_table():
    """b = 4, B = 64: as many integer products as dense, a float one a block's sum, 32 bits a scale."""
    found = unit("dsconv:bits=4,block=64", 64, 128, bits=4)
    assert found == Unit(57_802_752 + 903_168, 73_728, 36_864, float_macs=903_168)
    found = unit("dsconv:bits=4,block=64", 128, 128, bits=4)
    assert found == Unit(115_605_504 + 1_806_336, 147_456, 73_728, float_macs=1_806_336)


@pytest.mark.parametrize(
    ("bits", "block", "size"),
    [
        (4, 256, 12_128_096),
        (4, 128, 12_478_304),
        (4, 64, 13_205_344),
        (3, 128, 9_546_440),
        (2, 128, 6_614_576),
        (2, 64, 7_341_616),
    ],
)
def test_kernel_bytes_of_resnet50(bits, block, size):
    report = estimate("resnet50", f"dsconv:bits={bits},block={block}")
    rows = [row for row in report.runs[-1].layers if row.kind == "Conv2d"]
    assert sum(row.dense_macs > 0 for row in rows) == 53
    assert sum(row.weight_bits + row.side_bits for row in rows) == 8 * size
    assert sum(row.weight_bits for row in rows) == bits * 23_454_912


def test_up_to_14_times_smaller():
    """b = 2, B = 128: 32 bits become 2 + 32/128, 14.2 times fewer in full blocks."""
    found = unit("dsconv:bits=2,block=128", 128, 128, bits=2)
    assert 147_456 * 32 / (147_456 * 2 + found.meta) == 32 / 2.25


def test_integers_by_hand():
    """Block (1, -2, 0.4, 2) of 3 bits: m = -2, q = round(2 w) = (2, -4, 1, 4), cut to (2, -4, 1, 3)."""
    w = np.array([1, -2, 0.4, 2]).reshape(1, 4, 1, 1)
    q, alpha = quantised(w, 3, 4, clamp=False)
    assert q.reshape(-1).tolist() == [2, -4, 1, 4]
    assert np.isclose(alpha.item(), (2 + 8 + 0.4 + 8) / (4 + 16 + 1 + 16))
    q, alpha = quantised(w, 3, 4, clamp=True)
    assert q.reshape(-1).tolist() == [2, -4, 1, 3]
    assert np.isclose(alpha.item(), (2 + 8 + 0.4 + 6) / (4 + 16 + 1 + 9))
    q, alpha = quantised(np.zeros((1, 3, 1, 1)), 3, 2, clamp=True)
    assert not q.any() and not alpha.any() and q.shape == (1, 2, 2, 1, 1)


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("bits", [2, 4, 7])
def test_integers_fit_their_bits(bits, clamp):
    weights = np.random.default_rng(bits).standard_normal((16, 37, 3, 2))
    q, _ = quantised(weights, bits, 16, clamp)
    width = bits if clamp else bits + 1
    writer = BitWriter()
    writer.fields(q.astype(np.int64).reshape(-1), width)
    assert np.array_equal(BitReader(writer.to_bytes()).values(q.size, width), q.reshape(-1))
    assert int(q.max()) == (1 << (bits - 1)) - clamp


def test_four_bits_lose_seven_percent():
    """Gaussian weights, 4 bits, blocks of 16: a relative error of 7 %."""
    weights = np.random.default_rng(0).standard_normal((64, 64, 3, 3))
    q, alpha = quantised(weights, 4, 16, clamp=False)
    off = np.linalg.norm((q * alpha).reshape(64, 64, 3, 3) - weights) / np.linalg.norm(weights)
    assert 0.065 < off < 0.085


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("sparse", [False, True])
def test_block_sums_then_scales(groups, sparse):
    """Integer products of a block, then one multiplication by its scale: the layer's outputs, and counts."""
    graph = net(21, 6, size=(5, 4), stride=(2, 1), groups=groups, bias=False)
    text = "psconv:PSD1_P8+dsconv:bits=4,block=3" if sparse else "dsconv:bits=4,block=3"
    rewrite = parse_scheme(f"{LAYER}={text}").apply(graph)
    rng = np.random.default_rng(9)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    weight = derived_weights(rewrite, dense)[f"{LAYER}.weight"]
    x = rng.standard_normal((1, 21, 5, 4))
    node = graph.node(LAYER)
    (expected,) = run_operator(node, (x,), {"weight": weight})
    kernel = rewrite.graph.node(LAYER).op.kernel
    mask = np.ones(weight.shape, bool) if kernel is None else kernel.mask()
    q, alpha = quantised(np.where(mask, dense[f"{LAYER}.weight"], 0), 4, 3, clamp=True)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))[0]
    found, sums, products = np.zeros(expected.shape[1:]), 0, 0
    each = 21 // groups
    for o, i, j in np.ndindex(*found.shape):
        for b, r, s in np.ndindex(q.shape[1], 3, 3):
            low, high = 3 * b, min(3 * b + 3, each)
            there = mask[o, low:high, r, s]
            if not there.any():
                continue
            first = o // (6 // groups) * each
            values = padded[first + low : first + high, 2 * i + r, j + s]
            block = sum(int(k) * v for k, v, t in zip(q[o, b, :, r, s], values, there, strict=False) if t)
            found[o, i, j] += np.float32(alpha[o, b, 0, r, s]) * block
            sums, products = sums + 1, products + int(there.sum())
    np.testing.assert_allclose(found, expected[0], rtol=0, atol=1e-11)
    row = {row.node: row for row in estimate(graph, f"{LAYER}={text}").runs[-1].layers}[LAYER]
    assert (row.float_macs, row.macs) == (sums, sums + products)
    scales = sums // (found.shape[1] * found.shape[2])
    plain = estimate(graph, f"{LAYER}={text.rpartition('dsconv')[0].rstrip('+') or 'dense'}").runs[-1].layers
    beside = {r.node: r for r in plain}[LAYER].side_bits
    assert row.side_bits - beside == 32 * scales
    assert row.weight_bits == 4 * int(mask.sum())


@pytest.mark.parametrize("scheme", ["dsconv:bits=4,block=5", "dsconv:bits=2,block=64,clamp=no,scale=16"])
def test_twice_is_once(scheme):
    """Weights of a file that obey the rule are taken as they are."""
    graph = NETS[3]
    rewrite = parse_scheme(scheme).apply(graph)
    rng = np.random.default_rng(2)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    once = derived_weights(rewrite, dense)
    again = settled_weights(rewrite, {n: np.asarray(a, np.float32) for n, a in once.items()})
    for name, array in once.items():
        np.testing.assert_allclose(again[name], array, rtol=2e-3 if "16" in scheme else 1e-6, atol=1e-9)


def test_more_compression_never_stores_more():
    for graph in (NETS[0], NETS[3], NETS[6]):
        never_more([f"dsconv:bits={b},block=64" for b in (8, 6, 4, 3, 2)], graph)
        never_more([f"dsconv:bits=4,block={b}" for b in (4, 8, 16, 32, 128)], graph)
        never_more(["dsconv:clamp=no", "dsconv"], graph)


def test_which_layers():
    graph = load_model("mobilenet_v2")
    left = {e.node: e.reason for e in parse_scheme("dsconv").apply(graph).left}
    assert set(left.values()) == {"depthwise", "linear layer"}
    assert "linear layer" not in {e.reason for e in parse_scheme("dsconv:layers=all").apply(graph).left}
    first = next(n for n in graph if isinstance(n.op, Conv2d))
    assert first.name not in left


def test_scales_wider_than_any_multiplier():
    with pytest.raises(SpecError, match=r"layer 'first' on 'eyeriss'.*32-bit"):
        estimate(NETS[0], "dsconv", "eyeriss")
    assert estimate(NETS[0], "dsconv:scale=16", "eyeriss").totals().float_macs > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dsconv:bits=1", "bits of scheme 'dsconv' is a whole number from 2 to 16, not 1"),
        ("dsconv:block=0", "block of scheme 'dsconv' is a whole number from 1 to 65536, not 0"),
        ("dsconv:clamp=maybe", "clamp of scheme 'dsconv' is yes or no, not 'maybe'"),
        ("dsconv:scale=8", "scale of scheme 'dsconv' is 32 or 16, not '8'"),
        ("dsconv:bit=4", "did you mean 'bits'?"),
        ("dsconv+psconv", "stands in the wrong order"),
        ("dsconv+ternary", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_a_file_of_dense_weights_is_quantised():
    """Names and shapes are those of the rewritten network too: the weights are derived all the same."""
    graph = load_model("digits_cnn")
    rewrite = parse_scheme("dsconv:bits=3,block=16").apply(graph)
    found = WeightSet("trained", data_folder("models") / "digits_weights" / "dense.npz", "seed0")
    name = "features.conv2.weight"
    made, dense = uncalibrated(found, graph, rewrite)[name], found.read(graph)[name]
    q, alpha = quantised(dense, 3, 16, clamp=True)
    np.testing.assert_allclose(made, (q * alpha).reshape(dense.shape), rtol=1e-6, atol=1e-9)
    assert np.abs(made - dense).max() > 1e-3
