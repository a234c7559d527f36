"""freq: unit table, transform against its definition, order of frequencies, full rate, messages."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, unit

from energysim.errors import SchemeError
from energysim.graph import GraphBuilder
from energysim.schemes import derived_weights, parse_scheme, settled_weights
from energysim.schemes.freq import from_prefix, lowest, to_prefix
from energysim.validate import validate
from energysim.walker import estimate
from energysim.zoo import load_model


@pytest.mark.parametrize("expand", ["load", "chip"])
def test_unit_table(expand):
    """1 % of 73,728 and 147,456 coefficients, a count; N (M + C + 3 + 3) multiply-adds make the weights."""
    found = unit(f"freq:rate=0.01,expand={expand}", 64, 128, bits=16)
    assert found == Unit(57_802_752, Fraction(737), 32, expansion_macs=73_728 * 198)
    found = unit(f"freq:rate=0.01,expand={expand}", 128, 128, bits=16)
    assert found == Unit(115_605_504, Fraction(1_475), 32, expansion_macs=147_456 * 262)


def cosines(n):
    """The orthonormal DCT-II by its definition."""
    k, i = np.indices((n, n))
    made = np.sqrt(2 / n) * np.cos(np.pi * k * (2 * i + 1) / (2 * n))
    made[0] /= np.sqrt(2)
    return made


@pytest.mark.parametrize("shape", [(5, 4, 3, 3), (1, 7, 2, 1), (8, 6)])
def test_the_transform_is_the_one_defined(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    expected = weights
    for axis, n in enumerate(shape):
        expected = np.moveaxis(np.tensordot(cosines(n), expected, (1, axis)), 0, axis)
    found = to_prefix(weights, weights.size)
    np.testing.assert_allclose(found, expected.reshape(-1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 4, 3, 3), (13, 20, 1, 2), (16, 31)])
def test_full_rate_is_exact(shape):
    weights = np.random.default_rng(1).standard_normal(shape)
    np.testing.assert_allclose(
        from_prefix(to_prefix(weights, weights.size), shape), weights, rtol=0, atol=1e-13
    )


def test_the_order_of_frequencies():
    assert lowest((3, 4), 1).nonzero() == ((0,), (0,))
    assert np.argwhere(lowest((3, 4), 5)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]
    for count in (1, 17, 100, 179):
        kept = lowest((3, 4, 3, 5), count)
        sums = np.indices(kept.shape).sum(axis=0)
        assert kept.sum() == count
        assert sums[kept].max() <= sums[~kept].min()


def test_a_prefix_is_the_best_with_these_frequencies():
    """The transform is orthonormal: the error is what the dropped coefficients hold."""
    weights = np.random.default_rng(2).standard_normal((6, 5, 3, 3))
    whole, kept = to_prefix(weights, weights.size), to_prefix(weights, 60)
    off = from_prefix(kept, weights.shape) - weights
    assert np.isclose((off**2).sum(), (whole**2).sum() - (kept**2).sum(), rtol=1e-9)


def test_fewest_coefficients():
    """127 of a convolution, 255 of a linear layer, 31 of a transposed convolution, at most all."""
    b = GraphBuilder("floors", (3, 8, 8))
    x = b.conv(b.input, 16, 3, padding=1, bias=False, name="conv")
    x = b.conv_transpose(x, 8, 2, 2, name="up")
    x = b.conv(x, 4, 1, name="small")
    graph = b.build(b.linear(b.flatten(b.global_pool(x)), 100, name="fc"))
    rewrite = parse_scheme("freq:rate=0.001").apply(graph)
    made = {name: extra.generated.values for name, extra in rewrite.extras.items()}
    assert made == {"conv": 127, "up": 31, "fc": 255}
    assert {e.node: e.reason for e in rewrite.left} == {"small": "all 32 coefficients would be kept"}
    rewrite = parse_scheme("freq:rate=0.001,floor=8").apply(graph)
    assert {name: extra.generated.values for name, extra in rewrite.extras.items()} == dict.fromkeys(
        ("conv", "up", "small", "fc"), 8
    )
    assert validate(graph, "freq:rate=0.25,floor=8,expand=chip", inputs=2).passed


def test_identity_costs_dense():
    for graph in NETS[:4]:
        same_cost("freq:rate=1", graph)


def test_more_compression_never_stores_more():
    for graph in (NETS[0], NETS[1], load_model("digits_cnn")):
        never_more([f"freq:rate={rate}" for rate in ("0.9", "0.5", "0.1", "0.01", "0.0001")], graph)


def test_where_the_weights_are_made():
    """At load a run moves what the dense one moves; on chip only the coefficients cross DRAM."""
    graph = net(64, 128, size=(28, 28), bias=False)
    bits = 73_728 * 8
    dense = {a.action: a.bits for a in weights_from_dram(estimate(graph, "dense"))}
    load = estimate(graph, f"{LAYER}=freq:rate=0.1")
    chip = estimate(graph, f"{LAYER}=freq:rate=0.1,expand=chip")
    assert dense == {"read": bits}
    assert {a.action: a.bits for a in weights_from_dram(load)} == {"read": bits + 32}
    assert {a.action: a.bits for a in weights_from_dram(chip)} == {"read": 7_373 * 16 + 32}
    rows = [{r.node: r for r in run.runs[-1].layers}[LAYER] for run in (load, chip)]
    assert rows[0].load_bits == 7_373 * 16 + bits
    assert rows[1].load_bits == 0
    assert chip.totals().total_energy_aj > load.totals().total_energy_aj  # 14.6 M multiply-adds a run
    assert chip.totals().total_dram_bits < load.totals().total_dram_bits


def weights_from_dram(report):
    return [a for a in report.runs[-1].accesses if (a.node, a.level, a.tensor) == (LAYER, "dram", "weights")]


def test_twice_is_once():
    graph = NETS[1]
    rewrite = parse_scheme("freq:rate=0.2").apply(graph)
    rng = np.random.default_rng(2)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    once = derived_weights(rewrite, dense)
    again = settled_weights(rewrite, {n: np.asarray(a, np.float32) for n, a in once.items()})
    for name, array in once.items():
        np.testing.assert_allclose(again[name], array, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("freq:rate=0", "rate of scheme 'freq' is above 0 and at most 1, not 0"),
        ("freq:rate=1.01", "rate of scheme 'freq' is above 0 and at most 1, not 1.01"),
        ("freq:rate=-1", "rate of scheme 'freq' is a number such as 0.25 or 1/4, not '-1'"),
        ("freq:expand=chpi", "expand of scheme 'freq' is load or chip, not 'chpi'; did you mean 'chip'?"),
        ("freq:floor=0", "floor of scheme 'freq' is a whole number from 1 to 1048576, not 0"),
        ("freq:rtae=0.1", "did you mean 'rate'?"),
        ("csg+freq", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_layers_that_are_sparse_already():
    left = {e.node: e.reason for e in parse_scheme("psconv+freq").apply(NETS[0]).left}
    assert left[LAYER] == "freq: has a sparse kernel already"
