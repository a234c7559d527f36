"""Deformable convolution: the unit table, the literature, offsets that are known, traffic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, net

from energysim.errors import SchemeError
from energysim.graph import Conv2d, DeformConv2d, Node
from energysim.inference.reference import run_operator
from energysim.schemes import derived_weights, need_all_changed, parse_scheme
from energysim.validate import validate
from energysim.walker import estimate
from energysim.zoo import load_model


def rows_of(scheme: str, channels: int, filters: int, size: int = 28):
    graph = net(channels, filters, size=(size, size), padding=(1, 1, 1, 1), bias=False)
    run = estimate(graph, f"{LAYER}={scheme}").runs[-1]
    return {row.node: row for row in run.layers if row.origin == LAYER}


def parameters(scheme: str, channels: int, filters: int) -> int:
    graph = net(channels, filters, size=(28, 28), padding=(1, 1, 1, 1), bias=False)
    made = parse_scheme(f"{LAYER}={scheme}").apply(graph).graph.parameters()
    return sum(int(np.prod(shape)) for name, shape in made.items() if name.startswith(LAYER))


@pytest.mark.parametrize(
    ("scheme", "channels", "filters", "macs", "weights"),
    [
        ("deform", 64, 128, 67_737_600, 84_114),
        ("deform", 128, 128, 135_475_200, 168_210),
        ("deform:version=2", 64, 128, 72_253_440, 89_307),
        ("deform:version=2", 128, 128, 144_506_880, 178_587),
    ],
)
def test_unit_table(scheme, channels, filters, macs, weights):
    """The table counts 4 (and 1 for a factor) a sample as multiply-adds, here they are other operations."""
    rows = rows_of(scheme, channels, filters)
    samples = channels * 9 * 784
    each = 4 if scheme == "deform" else 5
    assert rows[LAYER].other_ops == each * samples + 4 * 9 * 784
    assert sum(row.macs for row in rows.values()) + each * samples == macs
    assert parameters(scheme, channels, filters) == weights
    # Stored weights leave out the 18 or 27 biases of the offset convolution.
    biases = 18 if scheme == "deform" else 27
    assert sum(row.weight_bits for row in rows.values()) == 8 * (weights - biases)
    assert sum(row.side_bits for row in rows.values()) == 0
    assert rows[LAYER].gathers == 4 * samples


def test_a_layer_of_64x64():
    rows = rows_of("deform", 64, 64, 64)
    assert rows[LAYER].macs == 150_994_944
    assert rows[f"{LAYER}.offsets"].macs == 42_467_328
    assert rows[LAYER].gathers == 9_437_184


def test_resnet50_with_all_3x3_of_the_last_three_stages():
    """13 layers, 580,842 parameters more."""
    graph = load_model("resnet50")
    rules = ";".join(f"layer{stage}.*.conv2=deform" for stage in (2, 3, 4))
    rewrite = parse_scheme(rules).apply(graph)
    assert len(rewrite.changed) == 13
    assert rewrite.graph.parameter_count() - graph.parameter_count() == 580_842


@pytest.mark.parametrize("scheme", ["deform", "deform:version=2", "deform:groups=4"])
def test_offsets_of_zero_are_the_dense_layer(scheme):
    rng = np.random.default_rng(2)
    for graph in NETS:
        rewrite = parse_scheme(scheme).apply(graph)
        if LAYER not in rewrite.changed:
            continue
        old = graph.node(LAYER)
        weights = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
        x = rng.standard_normal((2, *graph.tensors["relu1"].shape[1:]))
        own = {n.rpartition(".")[2]: a for n, a in weights.items() if n.rpartition(".")[0] == LAYER}
        (expected,) = run_operator(old, (x,), own)
        made = derived_weights(rewrite, weights)
        live = {"relu1": x}
        for node in rewrite.graph.nodes:
            if node.name.partition(".")[0] == LAYER:
                given = {
                    n.rpartition(".")[2]: a for n, a in made.items() if n.rpartition(".")[0] == node.name
                }
                found = run_operator(node, tuple(live[t] for t in node.inputs), given)
                live.update(zip(node.outputs, found, strict=True))
        np.testing.assert_allclose(live[LAYER], expected, rtol=0, atol=1e-12)


def test_a_whole_offset_is_a_shifted_map():
    """All taps one row down and two columns to the left: the convolution of the shifted map."""
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((1, 4, 9, 10)), rng.standard_normal((3, 4, 3, 3))
    conv = Conv2d(3, (3, 3), padding=(1, 1, 1, 1), bias=False)
    op = DeformConv2d(3, (3, 3), padding=(1, 1, 1, 1), bias=False)
    offsets = np.zeros((1, 9, 2, 9, 10))
    offsets[:, :, 0], offsets[:, :, 1] = 1, -2
    node = Node("d", op, ("x", "o"), ("d",))
    (found,) = run_operator(node, (x, offsets.reshape(1, 18, 9, 10)), {"weight": weight})
    (plain,) = run_operator(Node("c", conv, ("x",), ("c",)), (x,), {"weight": weight})
    np.testing.assert_allclose(found[:, :, :-2, 3:], plain[:, :, 1:-1, 1:-2], rtol=0, atol=1e-12)


def test_traffic_fused_and_unfused():
    """Unfused: offsets and samples are written and read, the map is read twice."""
    graph = net(64, 128, size=(28, 28), padding=(1, 1, 1, 1))
    for scheme, numbers in (("deform", 18), ("deform:version=2", 27)):
        fused = estimate(graph, f"{LAYER}={scheme}").totals()
        split = estimate(graph, f"{LAYER}={scheme}", fusion="split").totals()
        words = 2 * numbers * 784 + 2 * 64 * 9 * 784 + 64 * 784
        assert split.total_dram_bits - fused.total_dram_bits == 8 * words
        assert fused.unfused_dram_bits == split.total_dram_bits


def test_what_is_left_and_why():
    rewrite = parse_scheme("deform:groups=3").apply(net(13, 20))
    left = {entry.node: entry.reason for entry in rewrite.left}
    assert left[LAYER] == "3 offset groups do not divide 13 channels"
    assert left["first"] == "first convolution" and left["fc"] == "linear layer"
    scheme = parse_scheme(f"{LAYER}=deform:groups=3")
    with pytest.raises(SchemeError, match=f"layer '{LAYER}': .*3 offset groups do not divide 13 channels"):
        need_all_changed(scheme, scheme.apply(net(13, 20)))


def test_with_winners():
    graph = net(16, 12, size=(6, 7))
    found = validate(graph, "deform+kwta:keep=0.5", inputs=2)
    assert found.passed, found.problems


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deform:version=3", "version of scheme 'deform' is a whole number from 1 to 2, not 3"),
        ("deform:groups=0", "groups of scheme 'deform' is a whole number from 1 to 4096, not 0"),
        ("deform:grups=2", "scheme 'deform' has no parameter 'grups'; did you mean 'groups'?"),
        ("deform+nm:2:4", "'deform' and 'nm:2:4' each decide which weights exist"),
        ("deform+shift", "'deform' and 'shift' each replace a layer by others"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
