"""Conv-shift-conv blocks: ShiftResNet-20, 56 and 110 of the table, pairs, and what has no partner."""

from __future__ import annotations

from math import prod

import pytest
from published_networks import resnet_cifar
from schemes_family import LAYER, net, never_more

from energysim.errors import SchemeError
from energysim.graph import Conv2d, GraphBuilder, LayerGraph, TapShift
from energysim.schemes import parse_scheme
from energysim.walker import estimate


def parameters(graph: LayerGraph) -> int:
    return sum(map(prod, graph.parameters().values()))


@pytest.mark.parametrize(
    ("depth", "expected", "macs"),
    [(20, 272_474, 40_813_184), (56, 855_770, 125_747_840), (110, 1_730_714, 253_149_824)],
)
def test_resnets_of_the_table(depth, expected, macs):
    graph = resnet_cifar(depth)
    assert parameters(graph) == expected
    assert estimate(graph).totals().macs == macs
    assert parameters(resnet_cifar(depth, classes=100)) == expected + 5_850


@pytest.mark.parametrize(
    ("depth", "expansion", "expected", "macs"),
    [
        (20, 1, 34_906, 5_948_032),
        (20, 3, 95_642, 16_433_792),
        (20, 6, 186_746, 32_162_432),
        (20, 9, 277_850, 47_891_072),
        (56, 1, 102_106, 15_385_216),
        (56, 3, 294_554, 44_745_344),
        (56, 6, 583_226, 88_785_536),
        (56, 9, 871_898, 132_825_728),
        (110, 1, 202_906, 29_540_992),
        (110, 3, 592_922, 87_212_672),
        (110, 6, 1_177_946, 173_720_192),
        (110, 9, 1_762_970, 260_227_712),
    ],
)
def test_shift_resnets_of_the_table(depth, expansion, expected, macs):
    graph, scheme = resnet_cifar(depth), f"shift:block,expansion={expansion}"
    assert parameters(parse_scheme(scheme).apply(graph).graph) == expected
    assert estimate(graph, scheme).totals(scheme).macs == macs


def test_the_counter_of_the_readme():
    """Its figures are 147,456 higher: the stem counted as 9*64*32*32 instead of 27*16*32*32."""
    stem = 9 * 64 * 32 * 32 - 27 * 16 * 32 * 32
    assert stem == 147_456
    assert estimate(resnet_cifar(20)).totals().macs + stem == 40_960_640
    shifted = estimate(resnet_cifar(20), "shift:block,expansion=3")
    assert shifted.totals("shift:block,expansion=3").macs + stem == 16_581_248


def test_narrow_blocks_of_the_table():
    """ResNet-20 with blocks 2.8 times narrower inside: 96,206 parameters, 14,197,376 by the README."""
    graph = resnet_cifar(20, reduction=2.8)
    assert parameters(graph) == 96_206
    assert estimate(graph).totals().macs == 14_049_920 == 14_197_376 - 147_456


def test_a_pair():
    """64 -> 64 -> 9 filters: 1x1 to 27 channels on the input's map, shift, 1x1 to 9 with both strides."""
    graph = net(64, 64, size=(9, 7), stride=(2, 1), padding=(1, 1, 1, 1))
    rewrite = parse_scheme("shift:block").apply(graph)
    assert rewrite.changed == (LAYER, "last")
    first, shift, second = (rewrite.graph.node(n).op for n in (LAYER, "last.shift", "last"))
    assert isinstance(first, Conv2d) and isinstance(second, Conv2d) and isinstance(shift, TapShift)
    assert (first.out_channels, first.window, first.stride) == (27, (1, 1), (1, 1))
    assert shift.taps == tuple(c // 3 for c in range(27))
    assert (second.out_channels, second.window, second.stride) == (9, (1, 1), (2, 1))
    assert rewrite.graph.tensors["last"].shape == graph.tensors["last"].shape
    report = estimate(graph, "shift:block")
    rows = {row.node: row for row in report.runs[-1].layers}
    assert rows[LAYER].macs == 64 * 27 * 63
    assert rows["last"].macs == 27 * 9 * 5 * 7
    assert rows["last.shift"].unfused_dram_bits == 2 * 8 * 27 * 63


def test_wider_blocks_never_store_less():
    never_more([f"shift:block,expansion={e}" for e in (9, 6, 3, 1)], net(64, 64))


def test_layers_without_a_partner():
    def reasons(graph: LayerGraph) -> dict[str, str]:
        return {e.node: e.reason for e in parse_scheme("shift:block").apply(graph).left}

    assert reasons(net(24, 16, groups=2))[LAYER] == "has 2 groups already"
    assert reasons(net(24, 16, (1, 1)))["last"] == "no convolution alone reads it"
    b = GraphBuilder("three", (3, 8, 8))
    x = b.conv(b.input, 16, 3, padding=1, name="first")
    for name in ("one", "two", "three"):
        x = b.relu(b.conv(x, 16, 3, padding=1, name=name))
    assert reasons(b.build(x)) == {"first": "first convolution", "three": "no convolution alone reads it"}
    b = GraphBuilder("valid", (3, 9, 9))
    x = b.conv(b.input, 16, 3, padding=1, name="first")
    x = b.conv(b.conv(x, 16, 3, name="one"), 16, 3, name="two")
    assert reasons(b.build(x))["one"] == "with two it would make a 7x7 map, not 5x5"
    only = parse_scheme("shift:block").apply(net(16, 16), [LAYER])
    assert [e.reason for e in only.left] == ["last, which reads it, is not named by a rule"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "shift:block,expansion=0",
            "expansion of scheme 'shift:block' is a whole number from 1 to 64, not 0",
        ),
        ("shift:block,expansoin=3", "has no parameter 'expansoin'; did you mean 'expansion'?"),
        ("shift:blok", "scheme 'shift' has no parameter 'blok'"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
