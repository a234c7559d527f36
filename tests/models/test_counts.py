"""Every network of the zoo, counted from its graph and compared with two independent sources."""

from __future__ import annotations

import csv
from functools import cache
from math import prod
from pathlib import Path

import pytest
from independent import COUNTERS, Tally

from energysim.graph import Conv2d, LayerGraph, Linear, MatMul
from energysim.zoo import load_model, model_names

TABLE = Path(__file__).parents[1] / "data" / "model_counts.csv"
COLUMNS = (
    "params",
    "conv_weights",
    "linear_weights",
    "conv_macs",
    "depthwise_macs",
    "linear_macs",
    "attention_macs",
    "macs_total",
    "n_conv",
    "n_linear",
)


def published() -> dict[str, dict[str, int]]:
    with TABLE.open(newline="") as file:
        return {row["model"]: {c: int(row[c]) for c in COLUMNS} for row in csv.DictReader(file)}


PUBLISHED = published()


def counted(graph: LayerGraph) -> dict[str, int]:
    """Count a graph from its shapes: output elements times the multiply-adds behind each."""
    t = Tally(params=sum(prod(shape) for shape in graph.parameters().values()))
    for node in graph:
        inputs, out = graph.input_shapes(node), prod(graph.output_shapes(node)[0])
        weights = prod(node.op.parameters(inputs).get("weight", (0,)))
        if isinstance(node.op, Conv2d):
            channels, groups = inputs[0][1], node.op.groups
            macs = out * (channels // groups) * node.op.window[0] * node.op.window[1]
            t.conv_macs += macs
            t.conv_weights += weights
            t.n_conv += 1
            if groups == channels == node.op.out_channels > 1:
                t.depthwise_macs += macs
        elif isinstance(node.op, Linear):
            t.linear_macs += out * inputs[0][-1]
            t.linear_weights += weights
            t.n_linear += ".attention." not in node.name
        elif isinstance(node.op, MatMul):
            t.attention_macs += out * inputs[0][-1]
        else:
            assert node.op.category in ("stream", "epilogue", "view"), node
    return {column: getattr(t, column) for column in COLUMNS}


@cache
def native(name: str) -> dict[str, int]:
    return counted(load_model(name))


def second(name: str, input: tuple[int, int, int], classes: int) -> dict[str, int]:
    t = COUNTERS[name]((input[1], input[2]), classes, input[0])
    return {column: getattr(t, column) for column in COLUMNS}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, column: str) -> None:
    assert native(name)[column] == PUBLISHED[name][column]


@pytest.mark.parametrize("name", PUBLISHED)
def test_second_counter_agrees_with_the_table(name: str) -> None:
    assert second(name, (3, 224, 224), 1000) == PUBLISHED[name]


def test_table_is_whole() -> None:
    assert len(PUBLISHED) == 18
    assert set(PUBLISHED) <= set(model_names())


def test_second_counter_knows_every_network() -> None:
    assert sorted(COUNTERS) == model_names()


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize(
    ("input", "classes"), [((3, 160, 160), 17), ((1, 160, 160), 17), ((3, 192, 128), 2), ((4, 128, 256), 1)]
)
def test_other_inputs(name: str, input: tuple[int, int, int], classes: int) -> None:
    graph = load_model(name, input=input, classes=classes)
    assert counted(graph) == second(name, input, classes)
    assert graph.tensors[graph.outputs[0]].shape == (1, classes)
    assert len(graph.outputs) == 1


@pytest.mark.parametrize("name", ["vgg16-cifar10", "resnet18-tiny", "googlenet", "squeezenet1_0", "alexnet"])
@pytest.mark.parametrize("side", [129, 131, 150, 223])
def test_odd_inputs(name: str, side: int) -> None:
    """Sizes where flooring, padding and ceiling all differ."""
    input = (3, side, side + 6)
    assert counted(load_model(name, input=input, classes=3)) == second(name, input, 3)


# Kundu et al., IEEE Trans. Computers 69(7), 2020, and the public ports of the two mobile
# networks: all parameters, and multiply-adds of convolutions and linear layers, as printed.
SMALL = [
    ("vgg16-cifar10", (3, 32, 32), 10, 14.728, 313.2),
    ("vgg16-tiny", (3, 64, 64), 200, 15.133, 1253.2),
    ("resnet18-cifar10", (3, 32, 32), 10, 11.174, 555.4),
    ("resnet18-tiny", (3, 64, 64), 200, 11.579, 2222.1),
    ("mobilenet_v2-cifar10", (3, 32, 32), 10, 2.297, 91.2),
    ("mobilenet_v2-tiny", (3, 64, 64), 200, 3.308, 365.6),
    ("shufflenet_v2_x1_5-cifar10", (3, 32, 32), 10, 2.489, 94.3),
    ("shufflenet_v2_x1_5-tiny", (3, 64, 64), 200, 3.298, 377.8),
]


@pytest.mark.parametrize(("name", "input", "classes", "params", "macs"), SMALL)
def test_small_networks(
    name: str, input: tuple[int, int, int], classes: int, params: float, macs: float
) -> None:
    found = native(name)
    assert found == second(name, input, classes)
    assert round(found["params"] / 1e6, 3) == params
    assert round(found["macs_total"] / 1e6, 1) == macs


@pytest.mark.parametrize(
    ("name", "conv", "both"),
    [
        ("resnet18-cifar10", 11.159, 11.164),
        ("vgg16-cifar10", 14.710, 14.716),
        ("vgg16-tiny", 14.710, 15.120),
        ("resnet18-tiny", 11.159, 11.569),
    ],
)
def test_small_weights(name: str, conv: float, both: float) -> None:
    found = native(name)
    assert round(found["conv_weights"] / 1e6, 3) == conv
    assert round((found["conv_weights"] + found["linear_weights"]) / 1e6, 3) == both


def test_original_alexnet() -> None:
    """The grouped form: 665.8 M multiply-adds in convolutions, 60,965,224 parameters."""
    graph = load_model("alexnet_grouped")
    per_layer = [
        prod(graph.output_shapes(n)[0]) * prod(n.op.parameters(graph.input_shapes(n))["weight"][1:])
        for n in graph
        if isinstance(n.op, Conv2d)
    ]
    assert per_layer == [105_415_200, 223_948_800, 149_520_384, 112_140_288, 74_760_192]
    assert native("alexnet_grouped")["params"] == 60_965_224
    assert graph.tensors["features.conv1"].shape == (1, 96, 55, 55)


@pytest.mark.parametrize("name", ["vgg16-cifar10", "shufflenet_v2_x1_0", "densenet121", "vit_b_16"])
def test_batch_multiplies_macs_and_keeps_parameters(name: str) -> None:
    one, five = native(name), counted(load_model(name, batch=5))
    for column in COLUMNS:
        assert five[column] == one[column] * (5 if "macs" in column else 1)
