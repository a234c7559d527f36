"""channels: unit table, what goes together, magnitudes, constants and the border, Ye et al.'s baselines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from published_networks import ye_convnet, ye_resnet20
from schemes_family import LAYER, NETS, net, never_more, same_cost

from energysim.errors import SchemeError, UsageError, WeightsError
from energysim.graph import BatchNorm, Conv2d, GraphBuilder, LayerGraph
from energysim.inference import plan, random_weights
from energysim.schemes import derived_weights, equivalent_weights, parse_scheme
from energysim.schemes.channel_sets import ChannelSets
from energysim.validate import validate
from energysim.walker import estimate
from energysim.zoo import load_model


@pytest.mark.parametrize(
    ("channels", "filters", "macs", "weights"),
    [(64, 128, 32_514_048, 41_472), (128, 128, 65_028_096, 82_944)],
)
def test_unit_table(channels, filters, macs, weights):
    """A quarter of the inputs and of the outputs: the whole network is pruned, so the layer loses both."""
    graph = net(channels, filters, size=(28, 28), bias=False)
    run = estimate(graph, "channels:keep=0.75", bits=8).runs[-1]
    (row,) = [row for row in run.layers if row.node == LAYER]
    assert (row.macs, row.weight_bits, row.side_bits) == (macs, weights * 8, 0)
    assert row.dense_macs == channels * filters * 9 * 784


def total(graph: LayerGraph, no_scale: tuple[str, ...]) -> tuple[int, int]:
    """Weights of convolutions; with offset, mean, variance, and scale of the batch norms that have one."""
    weights = sum(np.prod(s) for name, s in graph.parameters().items() if ".conv.weight" in name)
    norms = [n for n in graph if isinstance(n.op, BatchNorm)]
    more = sum(
        graph.input_shapes(n)[0][1] * (3 if any(re.search(p, n.name) for p in no_scale) else 4) for n in norms
    )
    return int(weights), int(weights) + more


def test_baselines_of_ye():
    assert total(ye_convnet(), ()) == (1_983_264, 1_986_760)
    assert total(ye_resnet20(), (r"^first_conv", r"\.c1\.", r"\.p\.")) == (278_576, 281_304)


def test_kept_share_of_every_layer():
    """Half of all channels but input and classes: quarter of the weights, half at both ends."""
    graph = ye_convnet()
    found = parse_scheme("channels:keep=0.5").apply(graph).graph
    shapes = {k: s for k, s in found.parameters().items() if ".conv.weight" in k}
    assert shapes == {
        "conv1.conv.weight": (48, 3, 5, 5),
        "conv2.conv.weight": (96, 48, 5, 5),
        "conv3.conv.weight": (96, 96, 3, 3),
        "fc1.conv.weight": (192, 96, 4, 4),
        "softmax_linear.conv.weight": (10, 192, 1, 1),
    }


def test_channels_that_an_addition_joins_go_together():
    graph = ye_resnet20()
    rewrite = parse_scheme("channels:keep=0.5").apply(graph)
    sets = ChannelSets(graph)
    (first,) = sets.sets("g0b0.sum")
    assert sorted(sets.writers[first]) == [
        "first_conv.conv", "g0b0.c1.conv", "g0b1.c1.conv", "g0b2.c1.conv"
    ]  # fmt: skip
    assert rewrite.graph.tensors["g2b2.sum"].shape == (1, 32, 8, 8)
    assert rewrite.graph.output_shapes(rewrite.graph.node("softmax_linear.bn"))[0][1] == 10
    one = parse_scheme("g0b0.c1.*=channels:keep=0.5").apply(graph)
    assert one.changed == ()
    assert "shared with first_conv.conv" in {e.node: e.reason for e in one.left}["g0b0.c1.conv"]


def test_a_rule_shrinks_its_layer_and_whoever_reads_it():
    graph = net(16, 24, size=(8, 8))
    rewrite = parse_scheme(f"{LAYER}=channels:keep=0.5").apply(graph)
    assert rewrite.changed == (LAYER, "last")
    assert rewrite.graph.parameters()[f"{LAYER}.weight"] == (12, 16, 3, 3)
    assert rewrite.graph.parameters()["last.weight"] == (9, 12, 3, 3)
    assert [e.node for e in rewrite.left] == ["first", "fc"]
    assert rewrite.kept == {LAYER: tuple(range(12)), "relu2": tuple(range(12))}


def test_depthwise_concatenation_and_flattened_maps():
    b = GraphBuilder("mixed", (3, 6, 5))
    x = b.conv_bn(b.input, 8, 3, 1, 1, name="a")
    y = b.conv_bn(x, 8, 3, 1, 1, groups=8, name="dw")
    z = b.conv_bn(x, 6, 1, name="b")
    x = b.concat(y, z, name="both")
    graph = b.build(b.linear(b.flatten(x), 4, name="fc"))
    rewrite = parse_scheme("channels:keep=0.5").apply(graph)
    shapes = rewrite.graph.parameters()
    assert shapes["dw.conv.weight"] == (4, 1, 3, 3)
    assert rewrite.graph.node("dw.conv").op.groups == 4
    assert shapes["b.conv.weight"] == (3, 4, 1, 1)
    assert shapes["fc.weight"] == (4, 7 * 30)
    assert rewrite.kept["both"] == (0, 1, 2, 3, 8, 9, 10)
    assert validate(graph, "channels:keep=0.5", inputs=2).passed


@pytest.mark.parametrize("network", ["densenet121", "shufflenet_v2_x1_0", "googlenet", "vit_b_16"])
def test_networks_of_the_zoo_stay_sound(network):
    """Channels that go through a split or a shuffle stay; whatever goes, the network is well formed."""
    graph = load_model(network)
    rewrite = parse_scheme("channels:keep=0.5").apply(graph)
    assert rewrite.graph.tensors[graph.outputs[0]].shape == graph.tensors[graph.outputs[0]].shape
    assert (rewrite.graph.parameter_count() < graph.parameter_count()) == bool(rewrite.changed)


def test_the_largest_filters_stay():
    graph = net(4, 6, size=(5, 5))
    weights = {k: np.ones(s, np.float32) for k, s in graph.parameters().items()}
    weights[f"{LAYER}.weight"] *= np.array([3, -1, 2, -9, 0.5, 4], np.float32)[:, None, None, None]
    weights["first.weight"] *= np.array([1, -4, 3, 2], np.float32)[:, None, None, None]
    report = estimate(graph, "channels:keep=1/2,by=magnitude", weights=weights)
    assert report.runs[-1].layers[0].macs == 2 * 27 * 25
    scheme = parse_scheme("channels:keep=1/2,by=magnitude").with_weights(weights, lambda _: 8)
    rewrite = scheme.apply(graph)
    assert rewrite.kept[LAYER] == (0, 3, 5)
    assert rewrite.kept["first"] == (1, 2)
    made = derived_weights(rewrite, weights)
    assert np.array_equal(made[f"{LAYER}.weight"], weights[f"{LAYER}.weight"][[0, 3, 5]][:, [1, 2]])


def constant_net(padding: int) -> tuple[LayerGraph, dict[str, np.ndarray]]:
    """Convolution, batch norm with some scales of 0, ReLU, convolution, batch norm: and its weights."""
    b = GraphBuilder("constant", (3, 9, 8))
    x = b.conv_bn(b.input, 6, 3, 1, 1, name="one")
    x = b.conv_bn(x, 5, 3, 1, padding, name="two")
    graph = b.build(x)
    weights = random_weights(graph, 5)
    weights["one.bn.weight"][[1, 4, 5]] = 0
    weights["one.bn.bias"][:] = (0.1, 0.7, -0.2, 0.3, -0.5, 1.5)
    return graph, weights


@pytest.mark.parametrize("padding", [0, 1])
def test_absorbed_constants(padding):
    """Exact inside; at the border off by what the report says, and exact if padding held the constants."""
    graph, weights = constant_net(padding)
    scheme = parse_scheme("channels:by=constant").with_weights(weights, lambda _: 8)
    rewrite = scheme.apply(graph)
    assert rewrite.kept["one.relu"] == (0, 2, 3)
    assert rewrite.graph.parameters()["two.conv.weight"] == (5, 3, 3, 3)
    x = np.random.default_rng(7).standard_normal((2, 3, 9, 8)).astype(np.float32)
    made = {k: v.astype(np.float32) for k, v in derived_weights(rewrite, weights).items()}
    found = plan(rewrite.graph.with_batch(2), made).run(x)
    before = plan(graph.with_batch(2), weights).run(x)
    off = np.abs(found - before)
    (note,) = [text for text in rewrite.assumed if "constants of removed channels" in text]
    if not padding:
        assert off.max() < 1e-5
        assert "padding" not in note
        return
    assert off[:, :, 1:-1, 1:-1].max() < 1e-5
    assert off.max() > 1e-2
    # By hand: the taps that fall outside would have read relu(beta).
    kernel = 0.7 * weights["two.conv.weight"][:, 1] + 1.5 * weights["two.conv.weight"][:, 5]
    outside = [kernel[:, :1].sum((1, 2)), kernel[:, -1:].sum((1, 2))]  # rows above, below
    outside += [kernel[:, :, :1].sum((1, 2)), kernel[:, :, -1:].sum((1, 2))]
    inner = {(0, 0): kernel[:, 0, 0], (0, 1): kernel[:, 0, -1], (1, 0): kernel[:, -1, 0]}
    inner[1, 1] = kernel[:, -1, -1]
    outside += [outside[i] + outside[2 + j] - corner for (i, j), corner in inner.items()]
    worst = max(float(np.abs(o).max()) for o in outside)
    told = float(re.search(r"off by up to (\S+) there, in two.conv", note)[1])
    assert told == pytest.approx(worst, rel=6e-3)


def test_the_rebuilt_network_is_the_pruned_one():
    """Weights of the original shapes with zeros, and the constants in the batch norm's mean."""
    graph, weights = constant_net(1)
    rewrite = parse_scheme("channels:by=constant").with_weights(weights, lambda _: 8).apply(graph)
    made = {k: v.astype(np.float32) for k, v in derived_weights(rewrite, weights).items()}
    back = {k: v.astype(np.float32) for k, v in equivalent_weights(rewrite, made).items()}
    assert {k: a.shape for k, a in back.items()} == {k: a.shape for k, a in weights.items()}
    x = np.random.default_rng(8).standard_normal((2, 3, 9, 8)).astype(np.float32)
    small = plan(rewrite.graph.with_batch(2), made).run(x)
    np.testing.assert_allclose(small, plan(graph.with_batch(2), back).run(x), rtol=0, atol=1e-5)
    gained = 0.7 * weights["two.conv.weight"][:, 1].sum((1, 2)) + 1.5 * weights["two.conv.weight"][:, 5].sum(
        (1, 2)
    )
    np.testing.assert_allclose(
        made["two.bn.running_mean"], weights["two.bn.running_mean"] - gained, rtol=0, atol=1e-5
    )


def test_a_channel_goes_only_if_constant_in_all_addends():
    """Scale 0 in one branch of an addition is not enough; in both it is."""
    graph = ye_resnet20()
    weights = random_weights(graph, 1)
    names = ["first_conv.bn", "g0b0.c1.bn", "g0b1.c1.bn", "g0b2.c1.bn"]
    for name in names[:-1]:
        weights[f"{name}.weight"][3] = 0
    weights["g1b0.c0.bn.weight"][:4] = 0
    scheme = parse_scheme("channels:by=constant")
    found = scheme.with_weights(weights, lambda _: 8).apply(graph).graph
    assert found.tensors["g0b2.sum"].shape[1] == 16
    assert found.parameters()["g1b0.c0.conv.weight"] == (28, 16, 3, 3)
    weights[f"{names[-1]}.weight"][3] = 0
    found = scheme.with_weights(weights, lambda _: 8).apply(graph).graph
    assert found.tensors["g0b2.sum"].shape[1] == 15
    assert found.parameters()["g0b1.c1.conv.weight"] == (15, 16, 3, 3)


def test_a_reader_that_cannot_take_the_constant_keeps_the_channel():
    b = GraphBuilder("bare", (3, 6, 6))
    x = b.conv_bn(b.input, 4, 3, name="one")
    graph = b.build(b.conv(x, 2, 3, bias=False, name="two"))
    weights = random_weights(graph, 2)
    weights["one.bn.weight"][:2] = 0
    weights["one.bn.bias"][:2] = (0.5, -0.5)
    rewrite = parse_scheme("channels:by=constant").with_weights(weights, lambda _: 8).apply(graph)
    assert rewrite.kept["one.relu"] == (0, 2, 3)  # relu(-0.5) is 0: nothing to take


def test_what_is_left_and_why():
    graph = load_model("shufflenet_v2_x1_0")
    reasons = " ".join(e.reason for e in parse_scheme("channels").apply(graph).left)
    assert "read by ChannelShuffle" in reasons
    b = GraphBuilder("one", (3, 6, 6))
    graph = b.build(b.conv(b.input, 4, 3, name="only"))
    (left,) = parse_scheme("channels").apply(graph).left
    assert left.reason == "keeps its channels: an output of the network"
    sparse = parse_scheme(f"{LAYER}=psc; first=channels").apply(net(16, 24))
    reason = {e.node: e.reason for e in sparse.left}["first"]
    assert reason == f"keeps its channels: read by Conv2d {LAYER}"


def test_identity_and_more_compression():
    for graph in NETS:
        same_cost("channels:keep=1", graph)
    steps = ["dense", *(f"channels:keep={keep}" for keep in ("0.9", "3/4", "1/2", "1/8", "1/1000"))]
    never_more(steps, NETS[0])
    never_more(steps, load_model("resnet18-cifar10"))


def test_channels_then_two_of_four():
    graph = net(16, 24, size=(8, 8))
    scheme = parse_scheme("channels:keep=0.5+nm:2:4")
    rewrite = scheme.apply(graph)
    assert isinstance(rewrite.graph.node(LAYER).op, Conv2d)
    assert rewrite.graph.node(LAYER).op.kernel.nonzeros == 12 * 8 * 9 // 2
    assert rewrite.kept[LAYER] == tuple(range(12))
    assert validate(graph, scheme, inputs=2).passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("channels:keep=0", "keep of scheme 'channels' is above 0 and at most 1, not 0"),
        ("channels:keep=1.01", "at most 1, not 1.01"),
        ("channels:keep=half", "is a number such as 0.25 or 1/4"),
        ("channels:by=size", "by of scheme 'channels' is first, magnitude or constant"),
        ("channels:by=constant,keep=0.5", "keep cannot be given beside it"),
        ("channels:kep=0.5", "did you mean 'keep'"),
        ("channels+roots", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError, match=message):
        parse_scheme(text)


def test_weights_that_are_missing():
    graph = net(4, 6)
    with pytest.raises(UsageError, match="comes without weights"):
        estimate(graph, "channels:by=magnitude")
    with pytest.raises(SchemeError, match="there are none here"):
        parse_scheme("channels:by=constant").apply(graph)
    scheme = parse_scheme("channels:by=magnitude").with_weights({}, lambda _: 8)
    with pytest.raises(WeightsError, match=r"layer 'first': there is no array 'first\.weight'"):
        scheme.apply(graph)
