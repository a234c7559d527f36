"""dwseparable and dwdilated: unit table, MobileNetV2 unchanged in cost, rates, what is read, messages."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, same_cost, unit

from energysim.errors import SchemeError
from energysim.graph import Conv2d
from energysim.inference.reference import run_operator
from energysim.schemes import own_arrays, parse_scheme
from energysim.schemes.depthwise import runs
from energysim.walker import estimate
from energysim.weight_sets import rewritten_weights
from energysim.zoo import load_model


@pytest.mark.parametrize(
    "scheme", ["dwseparable", "dwseparable:between=relu6", "dwdilated:rates=3", "dwdilated:rates=1/2/4"]
)
def test_unit_table(scheme):
    """The rate of dilation costs nothing."""
    assert unit(scheme, 64, 128) == Unit(6_874_112, 8_768, 0)
    assert unit(scheme, 128, 128) == Unit(13_748_224, 17_536, 0)


def test_dilated_mobilenet_v2_costs_what_the_plain_one_does():
    graph = load_model("mobilenet_v2")
    scheme = parse_scheme("dwdilated:rates=1/2/3")
    rewrite = scheme.apply(graph)
    assert rewrite.graph.parameter_count() == graph.parameter_count() == 3_504_872
    assert estimate(graph, scheme).totals().macs == 300_774_272
    assert len(rewrite.changed) == 17
    rates = {n.op.dilation for n in rewrite.graph if isinstance(n.op, Conv2d)}
    assert rates == {(1, 1), (2, 2), (3, 3)}
    assert all(rewrite.graph.tensors[t].shape == graph.tensors[t].shape for t in rewrite.changed)


@pytest.mark.parametrize("dense", [True, False])
def test_each_rate_reads_its_own_channels_once(dense):
    """Split is addressing: the two halves together read the layer's input once, and nothing twice."""
    graph = net(32, 32, size=(12, 10), groups=1 if dense else 32)
    run = estimate(graph, f"{LAYER}=dwdilated:rates=1/2").runs[-1]
    read = {
        a.node: a.elements
        for a in run.accesses
        if (a.level, a.tensor, a.action) == ("dram", "inputs", "read") and a.node.startswith(LAYER)
    }
    assert read == {f"{LAYER}.rate1": 16 * 120, f"{LAYER}.rate2": 16 * 120}
    written = [
        a.elements for a in run.accesses if a.action == "write" and a.level == "dram" and LAYER in a.node
    ]
    assert sum(written) == 32 * 120


def as_one_window(weight: np.ndarray, rate: int) -> np.ndarray:
    """A dilated window written out, zeros between its taps."""
    m, c, r, s = weight.shape
    full = np.zeros((m, c, (r - 1) * rate + 1, (s - 1) * rate + 1))
    full[:, :, ::rate, ::rate] = weight
    return full


def test_one_rate_is_a_masked_dense_layer():
    """Without a rectifier it equals a dense convolution of 5x5 with zeros between the taps."""
    graph = net(6, 10, size=(9, 11), stride=(2, 1), padding=(1, 1, 1, 1))
    rewrite = parse_scheme(f"{LAYER}=dwdilated:rates=2").apply(graph)
    (recipe,) = rewrite.steps[0]
    weights = {k: a.astype(np.float64) for k, a in rewritten_weights(graph, rewrite, 0).items()}
    own = own_arrays(recipe, weights)
    x = np.random.default_rng(0).standard_normal((2, 6, 9, 11))
    wide = as_one_window(own["depthwise.weight"], 2)[:, 0]
    dense = own["weight"][:, :, 0, 0][:, :, None, None] * wide
    op = Conv2d(10, (5, 5), (2, 1), (2, 2, 2, 2))
    node = graph.node(LAYER).__class__(LAYER, op, ("relu1",), (LAYER,))
    (expected,) = run_operator(node, (x,), {"weight": dense, "bias": own["bias"]})
    np.testing.assert_allclose(recipe.reference(x, own), expected, rtol=0, atol=1e-12)


def test_uneven_padding_and_dilation_keep_the_map():
    graph = net(12, 9, (2, 4), (10, 13), stride=(1, 2), padding=(0, 1, 2, 0), dilation=(2, 1))
    rewrite = parse_scheme(f"{LAYER}=dwdilated:rates=1/3").apply(graph)
    assert rewrite.graph.tensors[LAYER].shape == graph.tensors[LAYER].shape
    second = rewrite.graph.node(f"{LAYER}.rate2").op
    assert (second.dilation, second.padding) == ((6, 3), (2, 3, 5, 3))


@pytest.mark.parametrize(
    ("channels", "count", "lengths"), [(7, 2, (4, 3)), (9, 3, (3, 3, 3)), (8, 3, (3, 3, 2))]
)
def test_runs_of_channels(channels, count, lengths):
    assert runs(channels, count) == lengths


def test_what_is_left_and_why():
    graph = load_model("mobilenet_v2-cifar10")
    reasons = {entry.reason for entry in parse_scheme("dwseparable").apply(graph).left}
    assert reasons == {"first convolution", "depthwise", "1x1 window", "linear layer"}
    left = {e.node: e.reason for e in parse_scheme("dwdilated:rates=1").apply(net(16, 16, groups=16)).left}
    assert left[LAYER] == "all rates are 1"
    left = {e.node: e.reason for e in parse_scheme("dwdilated:rates=1/2/3").apply(net(2, 5)).left}
    assert left[LAYER] == "2 channels are fewer than the 3 rates"
    left = {e.node: e.reason for e in parse_scheme("dwdilated").apply(net(4, 8, groups=4)).left}
    assert left[LAYER] == "depthwise with 8 filters for 4 channels"


def test_rate_1_of_a_depthwise_layer_is_the_layer():
    same_cost(f"{LAYER}=dwdilated:rates=1", NETS[-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dwdilated:rates=0", "rates of scheme 'dwdilated' is a whole number from 1 to 64, not 0"),
        ("dwdilated:rates=1/x", "rates of scheme 'dwdilated' is a whole number"),
        ("dwdilated:rates=" + "/".join("1" * 17), "takes 1 to 16 rates, not 17"),
        ("dwdilated:rate=2", "did you mean 'rates'"),
        ("dwseparable:between=relu7", "none, relu or relu6, not 'relu7'"),
        ("dwseparable+dwdilated", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError, match=message):
        parse_scheme(text)
