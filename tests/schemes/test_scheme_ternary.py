"""ternary: unit table, collapsed weights by hand, additions and multiplications by sigma, composition."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, unit

from energysim.errors import SchemeError
from energysim.inference.reference import run_operator
from energysim.schemes import derived_weights, parse_scheme
from energysim.schemes.ternary import collapsed
from energysim.walker import estimate


def test_unit_table():
    """As many additions as dense products, 2 bits a weight, 32 bits of sigma."""
    found = unit("ternary", 64, 128, bits=2)
    assert found == Unit(57_802_752, 73_728, 32, additions=57_802_752)
    found = unit("ternary", 128, 128, bits=2)
    assert found == Unit(115_605_504, 147_456, 32, additions=115_605_504)


def test_collapsed_by_hand():
    """Mean magnitude 2, threshold 1.4: what is above keeps its sign, sigma is the mean of 2, 3 and 4."""
    signs, sigma = collapsed(np.array([1.0, -2, 3, -4, 0]), thinned=False)
    assert signs.tolist() == [0, -1, 1, -1, 0]
    assert sigma == 3
    signs, sigma = collapsed(np.array([1.0, -2, 3, -4, 0]), thinned=True)
    assert signs.tolist() == [1, -1, 1, -1, 0]
    assert sigma == 2.5


@pytest.mark.parametrize("graph", NETS[:6], ids=lambda graph: graph.name)
def test_it_is_sigma_times_sums_and_differences(graph):
    """y = sigma * conv(x, t): exact in integers where sigma is one."""
    rewrite = parse_scheme(f"{LAYER}=ternary").apply(graph)
    rng = np.random.default_rng(7)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    weight = derived_weights(rewrite, dense)[f"{LAYER}.weight"]
    sizes = np.unique(np.abs(weight))
    assert len(sizes) == 2 and sizes[0] == 0
    t = np.sign(weight)
    node = graph.node(LAYER)
    bias = {"bias": dense[f"{LAYER}.bias"]} if node.op.bias else {}
    x = rng.standard_normal((2, *graph.tensors["relu1"].shape[1:]))
    (found,) = run_operator(node, (x,), {"weight": weight, **bias})
    (sums,) = run_operator(node, (x,), {"weight": t, **{k: 0 * v for k, v in bias.items()}})
    expected = sizes[1] * sums + (bias["bias"][:, None, None] if bias else 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_one_multiplication_an_output():
    graph = net(64, 128, size=(28, 28), bias=False)
    rows = [{r.node: r for r in run.layers}[LAYER] for run in estimate(graph, f"{LAYER}=ternary").runs]
    assert rows[1].other_ops - rows[0].other_ops == 128 * 784
    products = [a for a in estimate(graph, f"{LAYER}=ternary").runs[1].accesses if a.node == LAYER]
    assert not [a for a in products if a.level == "mac" and a.action == "compute"]
    assert [a.elements for a in products if a.level == "mac" and a.action == "add"] == [57_802_752]


def test_thinned_layers_store_signs():
    """Of 73,728 weights floor(0.3 * 73728) are left: a bit each, beside the bitmap and sigma."""
    found = unit("unstructured:density=0.3+ternary", 64, 128, bits=1)
    kept = int(0.3 * 73_728)
    assert found == Unit(kept * 784, kept, 73_728 + 32, additions=kept * 784)


def test_rules_are_the_list_of_layers():
    graph = NETS[0]
    rewrite = parse_scheme(f"{LAYER}=ternary;fc=ternary").apply(graph)
    assert rewrite.changed == (LAYER, "fc")
    assert parse_scheme("ternary").apply(graph).changed == ("first", LAYER, "last", "fc")


def test_never_more_than_dense():
    for graph in NETS:
        report = estimate(graph, "ternary", bits=2)
        beside = report.totals().stored_weight_bits - report.totals("dense").stored_weight_bits
        assert beside == 32 * 4  # a sigma for each of four layers, at the width of dense 2-bit weights


def test_messages():
    for text in ("ternary:layers=fc", "ternary:sigma"):
        with pytest.raises(SchemeError, match="scheme 'ternary' has no parameter"):
            parse_scheme(text)
    with pytest.raises(SchemeError, match="stands in the wrong order"):
        parse_scheme("ternary+unstructured:density=0.5")
