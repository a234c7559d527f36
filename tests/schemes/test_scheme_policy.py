"""Which layers become sparse, which stay dense and with which words, and the trace of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from energysim.graph import Conv2d, ConvTranspose2d, LayerGraph, Linear, Node
from energysim.kernels import MaskKernel, PeriodicKernel
from energysim.schemes import Left, Origin, parse_scheme, weighted_nodes
from energysim.schemes.patterns import Patterns
from energysim.schemes.psc import PSC
from energysim.schemes.psconv import PSConv
from energysim.zoo import load_model

ROOT = Path(__file__).parents[2]
FIRST, POINT, LINEAR, DEPTH = "first convolution", "1x1 window", "linear layer", "depthwise"

# Network: what is left and why, counted by hand from the papers; and how many layers become sparse.
LEFT = {
    "vgg16": ({FIRST: 1, LINEAR: 3}, 12),
    "vgg16-cifar10": ({FIRST: 1, LINEAR: 1}, 12),
    "resnet18": ({FIRST: 1, POINT: 3, LINEAR: 1}, 16),
    "resnet18-tiny": ({FIRST: 1, POINT: 3, LINEAR: 1}, 16),
    "mobilenet_v2": ({FIRST: 1, DEPTH: 17, POINT: 34, LINEAR: 1}, 0),
    "googlenet": ({FIRST: 1, POINT: 37, LINEAR: 1}, 19),
    "alexnet": ({FIRST: 1, "5x5 window": 1, LINEAR: 3}, 3),
    "alexnet_grouped": ({FIRST: 1, "5x5 window": 1, LINEAR: 3}, 3),
    "squeezenet1_0": ({FIRST: 1, POINT: 17}, 8),
    "vit_b_16": ({FIRST: 1, LINEAR: 49}, 0),
}
BOTH = pytest.mark.parametrize("scheme", ["psconv:PSD4_P8", "psc:kss=4,seed=0"])


@BOTH
@pytest.mark.parametrize("net", LEFT)
def test_layers_left_dense(net, scheme):
    graph = load_model(net)
    rewrite = parse_scheme(scheme).apply(graph)
    reasons, sparse = LEFT[net]
    assert Counter(entry.reason for entry in rewrite.left) == reasons
    changed = [n for n, origin in rewrite.trace.items() if origin.scheme != "dense"]
    assert len(changed) == sparse
    weighted = [node.name for node in weighted_nodes(graph)]
    assert sorted([*changed, *(entry.node for entry in rewrite.left)]) == sorted(weighted)
    assert [e.node for e in rewrite.left] == [n for n in weighted if n not in changed]  # network order
    for node in rewrite.graph:
        before = graph.node(node.name)
        if node.name in changed:
            assert isinstance(node.op, Conv2d)
            assert node.op.window == (3, 3)
            assert node.op.kernel is not None
            assert not node.op.kernel.is_dense
            assert node.op.kernel.shape == before.op.parameters(graph.input_shapes(before))["weight"]
            assert rewrite.trace[node.name] == Origin(node.name, scheme, "E1")
        else:
            assert node == before
            assert rewrite.trace[node.name] == Origin(node.name, "dense", "E1")


def test_reasons_by_name():
    rewrite = parse_scheme("psconv").apply(load_model("alexnet"))
    assert rewrite.left == (
        Left("features.conv1", "first convolution"),  # 11 x 11
        Left("features.conv2", "5x5 window"),
        Left("classifier.fc6", "linear layer"),
        Left("classifier.fc7", "linear layer"),
        Left("classifier.fc8", "linear layer"),
    )
    rewrite = parse_scheme("psconv").apply(load_model("resnet18"))
    assert [entry.node for entry in rewrite.left if entry.reason == POINT] == [
        f"layer{n}.0.downsample.conv" for n in (2, 3, 4)
    ]


def test_other_windows_by_wish():
    rewrite = parse_scheme("psconv:PSD4_P8,windows=all").apply(load_model("alexnet"))
    assert [entry.reason for entry in rewrite.left] == [FIRST, LINEAR, LINEAR, LINEAR]
    kernel = rewrite.graph.node("features.conv2").op.kernel
    assert isinstance(kernel, PeriodicKernel)
    assert kernel.slots[0] == tuple(range(25))
    assert kernel.slots[1:5] == ((0, 1, 5, 6), (1, 2, 6, 7), (2, 3, 7, 8), (3, 4, 8, 9))
    assert kernel.slots[5] == (5, 6, 10, 11)
    rewrite = parse_scheme("psc:kss=12,seed=1,windows=all").apply(load_model("alexnet"))
    assert rewrite.graph.node("features.conv2").op.kernel.weights_per_window() == ((12, 192 * 64),)
    assert Left("features.conv3", "3x3 window has no more than 12 positions") in rewrite.left


def one(op, channels=8, side=9, before=None):
    """A graph of a first convolution, and then the layer in question."""
    first = before or Conv2d(channels, (3, 3), padding=(1, 1, 1, 1))
    nodes = [Node("first", first, ("x",), ("first",)), Node("layer", op, ("first",), ("layer",))]
    return LayerGraph("net", {"x": (1, 3, side, side)}, nodes)


def reason(scheme, op, **more):
    rewrite = (parse_scheme(scheme) if isinstance(scheme, str) else scheme).apply(one(op, **more))
    return {entry.node: entry.reason for entry in rewrite.left}.get("layer")


@pytest.mark.parametrize(
    ("scheme", "window", "words"),
    [
        ("psconv", (3, 3), None),
        ("psconv", (1, 1), "1x1 window"),
        ("psconv", (1, 3), "1x3 window"),
        ("psconv", (3, 1), "3x1 window"),
        ("psconv", (5, 5), "5x5 window"),
        ("psconv", (7, 7), "7x7 window"),
        ("psconv:windows=all", (1, 1), "1x1 window"),
        ("psconv:windows=all", (7, 7), None),
        ("psconv:windows=all", (5, 2), None),
        ("psconv:windows=all", (1, 3), "1x3 window has no room for a 2x2 block"),
        ("psconv:windows=all", (2, 2), "every position would be kept"),
        ("psconv:PSD2_P8,windows=all", (3, 1), "3x1 window has no room for a 1x2 block"),
        ("psconv:PSD2_P8,windows=all", (1, 3), None),
        ("psconv:PSD1_P8,windows=all", (3, 1), None),
        ("psc:kss=4", (1, 1), "1x1 window"),
        ("psc:kss=4", (5, 5), "5x5 window"),
        ("psc:kss=4", (7, 7), "7x7 window"),
        ("psc:kss=9", (3, 3), "3x3 window has no more than 9 positions"),
        ("psc:kss=4,windows=all", (1, 1), "1x1 window"),
        ("psc:kss=4,windows=all", (5, 5), None),
        ("psc:kss=4,windows=all", (7, 7), None),
        ("psc:kss=48,windows=all", (7, 7), None),
        ("psc:kss=49,windows=all", (7, 7), "7x7 window has no more than 49 positions"),
    ],
)
def test_windows(scheme, window, words):
    assert reason(scheme, Conv2d(8, window)) == words


def test_kinds_of_layers():
    assert reason("psconv", ConvTranspose2d(8, (3, 3))) == "transposed convolution"
    assert reason("psconv", Conv2d(8, (3, 3), groups=8)) == "depthwise"
    assert reason("psconv", Conv2d(16, (3, 3), groups=8)) == "depthwise"  # two filters a channel
    assert reason("psconv", Conv2d(8, (1, 1), groups=8)) == "1x1 window"
    assert reason("psconv", Conv2d(8, (3, 3), groups=4)) is None
    assert reason("psconv", Conv2d(8, (3, 3)), channels=1) is None  # one channel is not depthwise


def test_a_first_convolution_that_is_not_the_first_layer():
    """The first convolution in the walk, whatever stands before it; a transposed one does not count."""
    rewrite = parse_scheme("psconv").apply(one(Conv2d(8, (3, 3)), before=ConvTranspose2d(8, (3, 3))))
    assert {e.node: e.reason for e in rewrite.left} == {
        "first": "transposed convolution",
        "layer": "first convolution",
    }


@BOTH
def test_no_convolution_at_all(scheme):
    nodes = [Node("fc", Linear(4), ("x",), ("fc",))]
    graph = LayerGraph("net", {"x": (1, 8)}, nodes)
    rewrite = parse_scheme(scheme).apply(graph)
    assert rewrite.left == (Left("fc", "linear layer"),)
    assert rewrite.trace == {"fc": Origin("fc")}
    assert rewrite.graph.nodes == graph.nodes
    assert rewrite.assumed == ()


@BOTH
def test_applying_twice_is_applying_once(scheme):
    graph = load_model("vgg16-cifar10")
    once = parse_scheme(scheme).apply(graph)
    twice = parse_scheme(scheme).apply(once.graph)
    assert twice.graph.nodes == once.graph.nodes
    kept = {e.node for e in twice.left if e.reason == "has a sparse kernel already"}
    assert kept == {n for n, origin in once.trace.items() if origin.scheme != "dense"}
    assert twice.trace == {node.name: Origin(node.name) for node in graph}


def test_a_kernel_that_is_there_already():
    given = MaskKernel(np.eye(8, dtype=bool)[:, :, None, None] & np.ones((3, 3), bool))
    rewrite = parse_scheme("psconv").apply(one(Conv2d(8, (3, 3), kernel=given)))
    assert rewrite.graph.node("layer").op.kernel == given
    assert Left("layer", "has a sparse kernel already") in rewrite.left
    full = MaskKernel(np.ones((8, 8, 3, 3), bool))
    rewrite = parse_scheme("psconv").apply(one(Conv2d(8, (3, 3), kernel=full)))
    assert isinstance(rewrite.graph.node("layer").op.kernel, PeriodicKernel)


def test_dense_changes_nothing_at_all():
    graph = parse_scheme("psconv").apply(load_model("vgg16-cifar10")).graph
    rewrite = parse_scheme("dense").apply(graph)
    assert rewrite.graph is graph
    assert rewrite.left == ()
    assert rewrite.trace == {node.name: Origin(node.name) for node in graph}


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_slots_of_a_grouped_convolution_follow_the_global_filter(groups):
    """f is the index on weight axis 0, over all groups; c the one on axis 1, inside the group."""
    rewrite = parse_scheme("psconv:PSD4_P8").apply(one(Conv2d(12, (3, 3), groups=groups), channels=8))
    kernel = rewrite.graph.node("layer").op.kernel
    assert kernel.shape == (12, 8 // groups, 3, 3)
    corners = [{0, 1, 3, 4}, {1, 2, 4, 5}, {3, 4, 6, 7}, {4, 5, 7, 8}]
    for f in range(12):
        for c in range(8 // groups):
            slot = (f + c + 1) % 8
            kept = set(range(9)) if slot == 0 else corners[(slot - 1) % 4]
            assert set(np.flatnonzero(kernel.mask()[f, c])) == kept


def test_grouped_alexnet_saves_as_much():
    """Groups change the number of weights, not the share that is kept."""
    for net in ("alexnet", "alexnet_grouped"):
        graph = parse_scheme("psconv:PSD4_P8").apply(load_model(net)).graph
        for name in ("features.conv3", "features.conv4", "features.conv5"):
            kernel = graph.node(name).op.kernel
            assert kernel.nonzeros * 8 == kernel.shape[0] * kernel.shape[1] * 37


def test_only_the_named_layers():
    graph = load_model("vgg16-cifar10")
    rewrite = parse_scheme("psconv").apply(graph, {"features.conv1_1", "features.conv3_1"})
    assert [n for n, o in rewrite.trace.items() if o.scheme != "dense"] == ["features.conv3_1"]
    assert rewrite.left == (Left("features.conv1_1", "first convolution"),)
    assert parse_scheme("psconv").apply(graph, ()).graph.nodes == graph.nodes


@BOTH
def test_the_given_graph_is_untouched_and_its_facts_survive(scheme):
    graph = load_model("vgg16-cifar10", batch=3)
    nodes = graph.nodes
    rewrite = parse_scheme(scheme).apply(graph)
    assert graph.nodes == nodes
    assert rewrite.graph.name == graph.name
    assert rewrite.graph.tensors == graph.tensors
    assert rewrite.graph.outputs == graph.outputs
    assert list(rewrite.trace) == [node.name for node in rewrite.graph]


def test_psc_masks_depend_on_seed_and_layer_only():
    def kernels(scheme, net="vgg16-cifar10"):
        graph = parse_scheme(scheme).apply(load_model(net)).graph
        return {n.name: n.op.kernel for n in graph if getattr(n.op, "kernel", None) is not None}

    drawn = kernels("psc:kss=4,seed=0")
    assert kernels("psc:kss=4") == drawn
    assert kernels("psc:kss=4", "vgg16-tiny") == drawn  # same layers, other image
    assert len(set(drawn.values())) == len(drawn)  # layers of one shape differ, too
    other = kernels("psc:kss=4,seed=18446744073709551615")
    assert all(other[name] != kernel for name, kernel in drawn.items())
    assert drawn["features.conv1_2"].digest[:32] == "94c186870127a92c0c62d1176fe99829"


def test_rewrites_do_not_depend_on_the_hash_seed():
    code = (
        "from energysim.schemes import parse_scheme; from energysim.zoo import load_model;"
        "r = parse_scheme('layer1.*=psc; layer[23].*=psconv; *=dense').apply(load_model('resnet18-cifar10'));"
        "print(r.trace, r.left, r.assumed, [getattr(n.op, 'kernel', None) for n in r.graph])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(found) == 1


ORDER = "the order of its supports in a period is not published"
SUPPORTS = "its supports and their order in a period are not published"
WINDOWS = "supports of windows other than 3x3 are not published"


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("dense", None),
        ("psc:kss=4,seed=0", []),
        ("psc:kss=4,seed=0,windows=all", [WINDOWS]),
        ("psconv:PSD4_P8", []),
        ("psconv:PSD4_P16", []),
        ("psconv:PSD2_P8", []),
        ("psconv:PSD2_P16", [ORDER]),
        ("psconv:PSD4_P5", [ORDER]),
        ("psconv:PS4_P4", [ORDER]),
        ("psconv:PS2_P6", [ORDER]),
        ("psconv:PS1_P9", [SUPPORTS]),
        ("psconv:PSD1_P8", [SUPPORTS]),
        ("psconv:PSD1_P16", [SUPPORTS]),
        ("psconv:PSD4_P8,windows=all", [WINDOWS]),
        ("psconv:PSD1_P8,windows=all", [SUPPORTS, WINDOWS]),
    ],
)
def test_assumptions(scheme, words):
    parsed = parse_scheme(scheme)
    rewrite = parsed.apply(load_model("vgg16-cifar10"))
    expected = tuple(f"{scheme}: {w}" for w in words or [])
    assert rewrite.assumed == expected
    if words is not None:
        assert parsed.assumptions() == expected
        assert parsed.apply(load_model("mobilenet_v2")).assumed == ()  # no layer was changed


def test_patterns_of_other_windows_and_none():
    some = Patterns((1, 3), ((0,), (2,)), "some.yaml")
    assert reason(PSConv(patterns=some), Conv2d(8, (1, 3))) is None
    assert reason(PSConv(patterns=some), Conv2d(8, (3, 1))) == "3x1 window, the patterns are 1x3"
    full = Patterns((1, 3), ((0, 1, 2),), "full.yaml")
    assert reason(PSConv(patterns=full), Conv2d(8, (1, 3))) == "every position would be kept"
    # One filter and one channel use slot 1 alone, and that is empty.
    gone = Patterns((1, 3), ((0,), ()), "gone.yaml")
    assert reason(PSConv(patterns=gone), Conv2d(1, (1, 3)), channels=1) == "no weight would be left"
    assert PSConv(patterns=some).assumptions() == ()


def test_schemes_are_values():
    assert {PSC(), PSC(4, 0), PSC(seed=1)} == {PSC(4), PSC(4, 1)}
    assert {PSConv(), PSConv(4, 8, 1)} == {parse_scheme("psconv:psd4_p8")}
