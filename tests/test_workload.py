"""Nodes as loop nests, and compulsory traffic of whole networks."""

from __future__ import annotations

import pytest

from energysim.errors import UnknownOperatorError
from energysim.graph import GraphBuilder, LayerGraph, Operator
from energysim.graph.shapes import Shape
from energysim.workload import Axis, LoopNest, MacWorkload, StreamWorkload, lower, touched
from energysim.zoo import load_model


def mac_layers(graph: LayerGraph) -> list[MacWorkload]:
    found = (lower(graph, node) for node in graph.nodes)
    return [work for work in found if isinstance(work, MacWorkload)]


@pytest.mark.parametrize(
    ("model", "weights", "outputs", "whole", "needed"),
    [
        # Parameters of convolutions and linear layers, without biases; elements, batch 1.
        ("vgg16", 138_344_128, 13_556_712, 9_115_136, 9_115_136),
        ("resnet18", 11_678_912, 2_484_712, 2_183_168, 2_183_168 - (16_346_792 - 16_083_368)),
    ],
)
def test_compulsory_traffic(model: str, weights: int, outputs: int, whole: int, needed: int) -> None:
    nests = [work.nest for work in mac_layers(load_model(model))]
    assert sum(nest.kernel.nonzeros for nest in nests) == weights
    assert sum(nest.output_elements for nest in nests) == outputs
    assert sum(nest.input_elements for nest in nests) == whole
    assert sum(nest.touched_inputs for nest in nests) == needed
    total = {"vgg16": (161_015_976, 161_015_976), "resnet18": (16_346_792, 16_083_368)}[model]
    assert (weights + outputs + whole, weights + outputs + needed) == total


def test_the_difference_is_three_quarters_of_the_strided_1x1_layers() -> None:
    nests = [work.nest for work in mac_layers(load_model("resnet18"))]
    strided = [n for n in nests if n.rows.stride == 2 and n.rows.window == 1]
    assert len(strided) == 3
    for nest in strided:
        assert 4 * nest.touched_inputs == nest.input_elements
    others = [n for n in nests if n not in strided]
    assert all(n.touched_inputs == n.input_elements for n in others)


def test_batch_multiplies_images_not_weights() -> None:
    one, three = load_model("resnet18"), load_model("resnet18", batch=3)
    for a, b in zip(mac_layers(one), mac_layers(three), strict=True):
        assert b.nest.macs == 3 * a.nest.macs
        assert b.nest.input_elements == 3 * a.nest.input_elements
        assert b.nest.kernel == a.nest.kernel


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis(5, 5, 3, 1, 1, 1), 5),
        (Axis(3, 5, 3), 5),
        (Axis(2, 5, 1, 3), 2),  # 0, 3
        (Axis(2, 6, 2, 3), 4),  # 0 1, 3 4
        (Axis(2, 8, 3, 1, 3), 6),  # 0 3 6, 1 4 7
        (Axis(1, 2, 2, 1, 2, 1), 1),  # -1, 1
        (Axis(4, 2, 2, 2, transposed=True), 2),
        (Axis(1, 2, 1, 2, transposed=True), 1),  # input 1 meets output 2, which is cropped
    ],
)
def test_touched_positions(axis: Axis, expected: int) -> None:
    assert touched(axis) == expected


def test_linear_layers_and_products() -> None:
    # 197 tokens of 768 = 12 heads x 64.
    work = mac_layers(load_model("vit_b_16"))
    products = [w for w in work if w.second is not None]
    assert {(w.nest.groups, w.nest.rows.outputs, w.nest.channels, w.nest.filters) for w in products} == {
        (12, 197, 64, 197),
        (12, 197, 197, 64),
    }
    linear = {(w.nest.rows.outputs, w.nest.channels, w.nest.filters) for w in work if w.second is None}
    assert {(197, 768, 3072), (197, 3072, 768), (1, 768, 1000)} <= linear
    for w in products:
        assert w.second is not None and w.second.elements == w.nest.kernel.nonzeros
        assert w.inputs.elements == w.nest.input_elements


def test_every_node_of_a_network_is_known() -> None:
    graph = load_model("mobilenet_v2")
    found = [lower(graph, node) for node in graph.nodes]
    assert any(isinstance(work, StreamWorkload) for work in found)
    depthwise = [w.nest for w in found if isinstance(w, MacWorkload) and w.nest.groups > 1]
    assert depthwise and all(isinstance(n, LoopNest) and n.filters == n.channels == 1 for n in depthwise)


def test_pooling_reads_what_its_windows_touch() -> None:
    graph = load_model("resnet18")
    (pool,) = (n for n in graph.nodes if n.op.kind == "Pool2d")
    work = lower(graph, pool)
    assert isinstance(work, StreamWorkload)
    assert work.touched == (64 * 112 * 112,)


def test_rectangular_convolutions_keep_rows_and_columns_apart() -> None:
    b = GraphBuilder("net", (4, 11, 17), batch=2)
    b.conv(b.input, 6, (3, 2), stride=(2, 3), padding=(1, 0, 2, 1), dilation=(2, 1), groups=2, name="conv")
    work = lower(b.build(), b.build().node("conv"))
    assert isinstance(work, MacWorkload)
    nest = work.nest
    assert (nest.batch, nest.groups, nest.filters, nest.channels) == (2, 2, 3, 2)
    # Padding is top, bottom, left, right: (11 + 1 - 5) // 2 + 1 rows, (17 + 3 - 2) // 3 + 1 columns.
    assert nest.rows == Axis(4, 11, 3, 2, 2, 1)
    assert nest.cols == Axis(7, 17, 2, 3, 1, 2)
    assert nest.kernel.shape == (6, 2, 3, 2)
    assert nest.macs == 2 * 4 * 7 * 6 * 2 * 3 * 2


def test_transposed_convolutions() -> None:
    b = GraphBuilder("net", (4, 5, 6))
    b.conv_transpose(b.input, 3, (3, 2), stride=(2, 1), padding=(1, 1, 0, 0), name="up")
    work = lower(b.build(), b.build().node("up"))
    assert isinstance(work, MacWorkload)
    assert work.nest.rows == Axis(9, 5, 3, 2, 1, 1, transposed=True)
    assert work.nest.cols == Axis(7, 6, 2, transposed=True)
    # Every input meets every weight of its channel.
    assert work.nest.macs == 5 * 6 * 4 * 3 * 3 * 2
    assert work.nest.positions == 30


def test_an_operator_of_unknown_cost_is_no_silent_zero() -> None:
    class Mystery(Operator):
        def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
            return shapes

    b = GraphBuilder("net", (4, 5, 6))
    b.node(Mystery(), b.input, name="odd")
    graph = b.build()
    with pytest.raises(UnknownOperatorError, match=r"node 'odd' of 'net': .* operator 'Mystery'"):
        lower(graph, graph.node("odd"))


def test_views_cost_nothing() -> None:
    b = GraphBuilder("net", (4, 5, 6))
    b.flatten(b.input, name="flat")
    assert lower(b.build(), b.build().node("flat")) is None
