"""SlimConv: the unit rows, both published ResNet-50, what reads a layer with fewer channels, what stays."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from schemes_family import LAYER, Unit, net, never_more, unit

from energysim.errors import SchemeError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import plan
from energysim.schemes import parse_scheme
from energysim.validate import validate
from energysim.walker import estimate
from energysim.zoo import load_model


def test_unit_rows():
    """V1 and V2 included; 48 and 96 channels are left."""
    assert unit("slim:r1=2,r2=4", 64, 128) == Unit(9_433_344, 12_288, 0)
    assert unit("slim:r1=2,r2=4", 128, 128) == Unit(37_733_376, 49_152, 0)
    for channels, left in ((64, 48), (128, 96)):
        graph = parse_scheme("slim").apply(net(channels, 128)).graph
        assert graph.tensors[LAYER].shape[1] == left


@pytest.mark.parametrize(
    ("model", "scheme", "parameters", "macs"),
    [
        ("resnet50", "slim:r1=2,r2=4", 16_758_740, 2_652_222_208),
        ("resnet50", "slim:r1=4,r2=8", 12_098_388, 1_880_314_624),
        ("resnet101", "slim:r1=2,r2=4", 27_956_708, 4_822_303_488),
    ],
)
def test_resnets_of_the_paper(model, scheme, parameters, macs):
    """16.76M and 2.65G, 12.10M and 1.88G, 27.96M (and 4.87G, by another counter): all 3x3 but the stem's."""
    graph = load_model(model)
    rewrite = parse_scheme(scheme).apply(graph)
    assert [n for n in rewrite.changed if n.endswith("conv2")] == [
        n.name for n in graph if n.name.endswith("conv2")
    ]
    assert sum(map(prod, rewrite.graph.parameters().values())) == parameters
    assert estimate(graph, scheme).totals(scheme).macs == macs


def test_dense_resnet50_of_the_paper():
    graph = load_model("resnet50")
    assert sum(map(prod, graph.parameters().values())) == 25_557_032
    assert estimate(graph).totals().macs == 4_089_184_256


def test_the_point_convolution_runs_before_the_stride():
    assert unit("slim", 64, 128, stride=2).macs == (9 * 32 * 32 + 9 * 16 * 16) * 196 + 32 * 16 * 784 + 256


def test_element_operations():
    """2*C*H*W products with the gate, twice C/2*H*W additions of the folding."""
    report = estimate(net(64, 64, size=(9, 7), bias=False), f"{LAYER}=slim")
    ops = {row.node: row.other_ops for row in report.runs[-1].layers}
    assert ops[f"{LAYER}.top_gated"] == ops[f"{LAYER}.bottom_gated"] == 64 * 63
    assert ops[f"{LAYER}.top_folded"] == ops[f"{LAYER}.bottom_folded"] == 32 * 63


def test_what_reads_it_has_fewer_channels():
    graph = net(64, 64, size=(9, 7), bias=False)
    report = estimate(graph, f"{LAYER}=slim")
    rows = {row.node: row for row in report.runs[-1].layers}
    dense = {row.node: row for row in report.runs[0].layers}
    assert rows["last"].macs * 64 == dense["last"].macs * 48
    assert rows["last"].dense_macs == dense["last"].macs
    assert rows["last"].scheme == "slim:r1=2,r2=4"


def test_a_channel_by_hand():
    """A gate of 1/2 everywhere: half of channel c plus half of channel c + 32, through both paths."""
    graph = net(64, 64, size=(6, 5), bias=False)
    rewrite = parse_scheme("slim").apply(graph, [LAYER])
    weights = {n: np.zeros(s, np.float32) for n, s in rewrite.graph.parameters().items()}
    for norm in ("squeeze_norm", "point_norm"):
        size = weights[f"{LAYER}.{norm}.weight"].size
        weights[f"{LAYER}.{norm}.running_mean"] = np.zeros(size, np.float32)
        weights[f"{LAYER}.{norm}.running_var"] = np.full(size, 1 - 1e-5, np.float32)
        weights[f"{LAYER}.{norm}.weight"][:] = 1
    weights["first.weight"][np.arange(64), 0, 1, 1] = np.arange(64)
    weights[f"{LAYER}.top.weight"][3, 5, 1, 1] = 1
    weights[f"{LAYER}.point.weight"][2, 7] = 1
    weights[f"{LAYER}.bottom.weight"][1, 2, 1, 1] = 1
    image = np.abs(np.random.default_rng(0).standard_normal((1, 3, 6, 5))).astype(np.float32)
    traced = {name: np.array(out[0]) for name, out in plan(rewrite.graph, weights).trace(image)}
    found = traced[LAYER][0]
    np.testing.assert_allclose(found[3], (5 + 37) / 2 * image[0, 0], rtol=1e-5)
    np.testing.assert_allclose(found[32 + 1], (7 + 39) / 2 * image[0, 0], rtol=1e-5)
    assert np.count_nonzero(np.abs(found).sum(axis=(1, 2))) == 2


def test_a_chain_of_layers():
    """64 -> 48 -> 36 channels; 36 has no 8th part, so the next layer stays, with 36 input channels."""
    b = GraphBuilder("chain", (3, 8, 8))
    x = b.relu(b.conv(b.input, 64, 3, padding=1, name="first"))
    for name in ("one", "two", "three"):
        x = b.relu(b.conv(x, 64, 3, padding=1, name=name))
    graph = b.build(b.linear(b.flatten(b.global_pool(x)), 4, name="fc"))
    rewrite = parse_scheme("slim").apply(graph)
    shapes = {n: rewrite.graph.tensors[n].shape[1] for n in ("one", "two", "three")}
    assert shapes == {"one": 48, "two": 36, "three": 27}
    rewrite = parse_scheme("slim:r1=4,r2=8").apply(graph)
    shapes = {n: rewrite.graph.tensors[n].shape[1] for n in ("one", "two", "three")}
    assert shapes == {"one": 24, "two": 64, "three": 24}
    assert rewrite.trace["two"].scheme == "slim:r1=4,r2=8"
    assert validate(graph, "slim", inputs=2).passed


def test_more_reduction_never_stores_more():
    never_more(["slim:r1=2,r2=2", "slim", "slim:r1=4,r2=4", "slim:r1=4,r2=8"], net(64, 64))


def test_what_stays():
    def reason(graph: LayerGraph, name: str = LAYER, scheme: str = "slim") -> str:
        return {e.node: e.reason for e in parse_scheme(scheme).apply(graph).left}[name]

    assert reason(net(20, 64)) == "20 channels are fewer than 32: nothing would be left of the gate"
    assert reason(net(34, 64)) == "4 does not divide 34 channels"
    assert reason(net(64, 64, groups=2)) == "has 2 groups already"
    assert reason(net(64, 40)) == "48 channels would be more than its 40 filters"
    resnet = load_model("resnet18-cifar10")
    (left,) = parse_scheme("slim").apply(resnet, ["layer1.0.conv2"]).left
    assert left.reason == "shares its channels with conv1"
    b = GraphBuilder("depthwise", (3, 8, 8))
    x = b.conv(b.conv(b.input, 64, 3, padding=1, name="first"), 64, 3, padding=1, name=LAYER)
    x = b.conv(b.depthwise(x, 3, padding=1, name="next"), 8, 1, name="last")
    assert reason(b.build(x)) == "keeps its channels: read by depthwise next"
    b = GraphBuilder("output", (3, 8, 8))
    x = b.conv(b.conv(b.input, 64, 3, padding=1, name="first"), 64, 3, padding=1, name=LAYER)
    assert reason(b.build(x)) == "keeps its channels: an output of the network"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slim:r1=1", "r1 of scheme 'slim' is a whole number from 2 to 64, not 1"),
        ("slim:r1=8", "r2 of scheme 'slim' is not below r1 (8), not 4"),
        ("slim:r3=8", "scheme 'slim' has no parameter 'r3' (it takes r1=2..64, r2=2..64)"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
