"""grouped and roots: unit table, the published root networks, linear layers, what is left."""

from __future__ import annotations

import numpy as np
import pytest
from published_networks import nin_cifar, resnet50_v1
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, unit

from energysim.errors import SchemeError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference.reference import run_operator
from energysim.schemes import parse_scheme
from energysim.schemes.grouped import root_groups
from energysim.validate import validate
from energysim.walker import estimate
from energysim.zoo import load_model


def test_unit_table():
    assert unit("grouped:g=4", 64, 128) == Unit(14_450_688, 18_432, 0)
    assert unit("grouped:g=4", 128, 128) == Unit(28_901_376, 36_864, 0)


# Ioannou et al., CVPR 2017: ResNet-50 root-m with biases of batch norms and classifier, and the NIN for
# CIFAR with biases; m, parameters, multiply-adds.
RESNET50 = [
    (1, 25_557_032, 3_857_973_248),
    (2, 25_501_736, 3_684_564_992),
    (4, 25_179_176, 3_366_649_856),
    (8, 23_248_424, 2_860_875_776),
    (16, 18_744_104, 2_434_580_480),
    (32, 16_491_944, 2_221_432_832),
    (64, 15_365_864, 2_114_859_008),
]
NIN = [
    (1, 966_986, 222_486_528),
    (2, 736_586, 163_504_128),
    (4, 455_498, 123_396_096),
    (8, 314_954, 103_342_080),
    (16, 244_682, 93_315_072),
]


@pytest.mark.parametrize(
    ("network", "rows"), [(resnet50_v1, RESNET50), (nin_cifar, NIN)], ids=["resnet50", "nin"]
)
def test_published_roots(network, rows):
    graph = network()
    report = estimate(graph, [f"roots:m={m}" for m, _, _ in rows])
    for m, parameters, macs in rows:
        scheme = parse_scheme(f"roots:m={m}")
        assert scheme.apply(graph).graph.parameter_count() == parameters
        assert report.totals(str(scheme)).macs == macs


def test_published_shares():
    """40 % fewer parameters and 45 % fewer operations for ResNet-50 root-64, as the paper says."""
    (_, parameters, macs), *_, (_, fewer, less) = RESNET50
    assert (round(1 - fewer / parameters, 2), round(1 - less / macs, 2)) == (0.40, 0.45)


def test_groups_of_the_published_networks():
    found = root_groups(resnet50_v1(), 16)
    by_stage = {name.partition(".")[0]: groups for name, groups in found.items()}
    assert by_stage == {"layer1": 16, "layer2": 8, "layer3": 4, "layer4": 2}
    assert len(found) == 3 + 4 + 6 + 3
    assert root_groups(nin_cifar(), 3) == {"conv2a": 3, "conv3a": 1}


def test_roots_do_not_depend_on_which_layers_are_asked_for():
    graph = load_model("resnet18-cifar10")
    part = parse_scheme("layer4.*=roots:m=16").apply(graph).graph
    assert part.node("layer4.0.conv1").op.groups == 2
    assert part.node("layer3.0.conv1").op.groups == 1


def test_roots_and_two_of_four():
    """Root groups first, then half of the weights of each group."""
    graph = net(32, 48, size=(28, 28), bias=False)
    both = estimate(graph, f"{LAYER}=roots:m=4+nm:2:4").runs[-1]
    (row,) = [row for row in both.layers if row.node == LAYER]
    assert row.macs == 48 * 32 * 9 * 28 * 28 // 4 // 2
    assert row.weight_bits == 48 * 32 * 9 // 4 // 2 * 8
    assert validate(graph, "roots:m=4+nm:2:4", inputs=1).passed


def linear_net(sequence: bool) -> LayerGraph:
    b = GraphBuilder("rows" if sequence else "flat", (6, 24) if sequence else (24,))
    x = b.relu(b.linear(b.input, 20, name="fc1"))
    return b.build(b.linear(x, 10, bias=False, name="fc2"))


@pytest.mark.parametrize("sequence", [False, True])
def test_linear_layers_in_groups(sequence):
    """Block-diagonal matrices: each half of the outputs reads its half of the inputs."""
    graph = linear_net(sequence)
    scheme = parse_scheme("grouped:g=2,layers=all")
    rewrite = scheme.apply(graph)
    assert rewrite.changed == ("fc1", "fc2")
    rows = 6 if sequence else 1
    run = estimate(graph, scheme).runs[-1]
    assert sum(row.macs for row in run.layers) == rows * (24 * 20 + 20 * 10) // 2
    assert sum(row.weight_bits for row in run.layers) == (24 * 20 + 20 * 10) // 2 * 8
    assert sum(row.side_bits for row in run.layers) == 0
    assert validate(graph, scheme, inputs=2).passed
    (recipe,) = [r for r in rewrite.steps[0] if r.node == "fc1"]
    weight = np.random.default_rng(1).standard_normal((20, 24))
    own = recipe.derive({"weight": weight, "bias": np.arange(20.0)})
    back = recipe.equivalent(own)
    expected = weight.copy()
    expected[:10, 12:] = expected[10:, :12] = 0
    assert np.array_equal(back["weight"], expected)
    assert np.array_equal(back["bias"], np.arange(20.0))


def test_groups_inside_groups():
    """Four groups of a layer that has two: the blocks of the first lie inside those of the second."""
    graph = net(24, 16, groups=2, size=(8, 6), bias=False)
    rewrite = parse_scheme("grouped:g=4").apply(graph)
    (recipe,) = [r for r in rewrite.steps[0] if r.node == LAYER]
    weight = np.random.default_rng(2).standard_normal((16, 12, 3, 3))
    masked = weight.copy()
    for f in range(16):
        for c in range(12):
            channel = f // 8 * 12 + c
            if channel // 6 != f // 4:
                masked[f, c] = 0
    own = recipe.derive({"weight": weight})
    assert own["weight"].shape == (16, 6, 3, 3)
    assert np.array_equal(recipe.equivalent(own)["weight"], masked)
    x = np.random.default_rng(3).standard_normal((1, 24, 8, 6))
    (dense,) = run_operator(graph.node(LAYER), (x,), {"weight": masked})
    (grouped,) = run_operator(rewrite.graph.node(LAYER), (x,), own)
    np.testing.assert_allclose(grouped, dense, rtol=0, atol=1e-12)


def test_what_is_left_and_why():
    left = {e.node: e.reason for e in parse_scheme("grouped:g=4").apply(net(13, 20)).left}
    assert left[LAYER] == "4 groups do not divide 13 input and 20 output channels"
    assert left["first"] == "first convolution"
    assert left["fc"] == "linear layer"
    left = {e.node: e.reason for e in parse_scheme("grouped:g=3").apply(net(24, 16, groups=2)).left}
    assert left[LAYER] == "has 2 groups already"
    left = {e.node: e.reason for e in parse_scheme("grouped:g=2").apply(net(24, 16, groups=2)).left}
    assert left[LAYER] == "has 2 groups already"


def test_identity_and_more_groups():
    for graph in NETS:
        same_cost("grouped:g=1", graph)
        same_cost("roots:m=1", graph)
    never_more(["dense", *(f"grouped:g={g}" for g in (2, 4, 8, 16))], NETS[0])
    never_more(["dense", *(f"roots:m={m}" for m in (2, 4, 8, 16))], load_model("resnet18-cifar10"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grouped:g=0", "g of scheme 'grouped' is a whole number from 1"),
        ("grouped:g=2.5", "g of scheme 'grouped' is a whole number"),
        ("grouped:groups=4", "no parameter 'groups'"),
        ("grouped:layers=al", "did you mean 'all'"),
        ("roots:m=-1", "m of scheme 'roots' is a whole number from 1"),
        ("roots:g=4", r"no parameter 'g' \(it takes m=1"),
        ("grouped+roots", "contradicts itself"),
        ("nm:2:4+roots", "wrong order"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError, match=message):
        parse_scheme(text)


def test_strict_names_the_layer():
    with pytest.raises(SchemeError, match=f"layer '{LAYER}': .*4 groups do not divide 13 input"):
        estimate(net(13, 20), f"{LAYER}=grouped:g=4", strict=True)
