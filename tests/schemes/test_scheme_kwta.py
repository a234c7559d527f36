"""k-winners-take-all: winners by hand, exact density, the forms in memory encoded for real, costs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from schemes_family import LAYER, net, same_cost

from energysim.errors import GraphError, SchemeError, ShapeError
from energysim.formats.bits import BitWriter
from energysim.graph import GraphBuilder, KWinners, LayerGraph, MapWinners, Node
from energysim.inference import plan, random_weights
from energysim.inference.reference import run_operator
from energysim.schemes import parse_scheme
from energysim.schemes.kwta import packed_form
from energysim.validate import validate
from energysim.walker import estimate


def winners(op: KWinners, x: np.ndarray) -> np.ndarray:
    (found,) = run_operator(Node("w", op, ("x",), ("w",)), (x,), {})
    return found


def test_winners_by_hand():
    x = np.array([[[[3.0, 1], [2, -5]], [[3, 2], [1, -4]], [[1, 2], [2, -6]]]])
    # Per pixel over three channels; of equal values the smaller channel's.
    assert winners(KWinners(1), x)[0].tolist() == [[[3, 0], [2, 0]], [[0, 2], [0, -4]], [[0, 0], [0, 0]]]
    assert winners(KWinners(2), x)[0].tolist() == [[[3, 0], [2, -5]], [[3, 2], [0, -4]], [[0, 2], [2, 0]]]
    # Per channel over four pixels.
    channel = winners(MapWinners(2, "channel"), x)
    assert channel[0].tolist() == [[[3, 0], [2, 0]], [[3, 2], [0, 0]], [[0, 2], [2, 0]]]
    # The three largest of all twelve: both 3s, and of the 2s the first in memory.
    whole = winners(MapWinners(3, "global"), x)
    assert whole[0].tolist() == [[[3, 0], [2, 0]], [[3, 0], [0, 0]], [[0, 0], [0, 0]]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.int32])
def test_exactly_k_stay(dtype):
    """Whatever the ties: as many as there are, and none that stays is smaller than one that does not."""
    x = np.random.default_rng(0).integers(1, 4, (2, 6, 3, 5)).astype(dtype)
    for op, axes in (
        (KWinners(4), (1,)),
        (MapWinners(4, "channel"), (2, 3)),
        (MapWinners(4, "global"), (1, 2, 3)),
    ):
        found = winners(op, x)
        assert found.dtype == x.dtype
        assert (np.count_nonzero(found, axis=axes) == 4).all()
        least = np.where(found != 0, x, 99).min(axis=axes)
        assert (least >= np.where(found == 0, x, -99).max(axis=axes)).all()
        assert np.array_equal(np.where(found != 0, x, 0), found)
    assert np.array_equal(winners(KWinners(6), x), x)


def row(scheme: str, node: str, graph: LayerGraph):
    (found,) = [r for r in estimate(graph, scheme).runs[-1].layers if r.node == node]
    return found


def written_bits(scheme: str, graph: LayerGraph, node: str = LAYER) -> int:
    """DRAM bits of the outputs of a layer."""
    run = estimate(graph, scheme).runs[-1]
    return sum(a.bits for a in run.accesses if (a.node, a.level, a.action) == (node, "dram", "write"))


@pytest.mark.parametrize(
    ("channels", "k", "listed", "bitmap"), [(64, 4, 56, 96), (256, 32, 512, 512), (64, 16, 224, 192)]
)
def test_bits_of_a_location(channels, k, listed, bitmap):
    """8-bit values: list k (8 + log2 C), bitmap C + 8 k; equal at k log2 C = C."""
    for store, bits in (("list", listed), ("bitmap", bitmap), ("best", min(listed, bitmap))):
        values, side = packed_form(store, 1, channels, k)
        assert 8 * values + side == bits
        graph = net(8, channels, size=(5, 6))
        assert written_bits(f"kwta:k={k},store={store}", graph) == 30 * bits
    assert written_bits("kwta:k=4", net(8, channels, size=(5, 6)), LAYER) <= 30 * 8 * channels


@pytest.mark.parametrize("scope", ["location", "channel", "global"])
def test_forms_are_encoded_for_real(scope):
    """A list of places and values, and a bitmap with values, written bit by bit and counted."""
    x = np.random.default_rng(1).integers(1, 100, (1, 12, 5, 7))
    size = {"location": 12, "channel": 35, "global": 420}[scope]
    op = KWinners(3) if scope == "location" else MapWinners(3, scope)
    vectors = winners(op, x)
    if scope == "location":
        vectors = vectors.transpose(0, 2, 3, 1)
    vectors = vectors.reshape(-1, size)
    listed, mapped = BitWriter(), BitWriter()
    for vector in vectors:
        places = np.flatnonzero(vector)
        listed.fields(places, (size - 1).bit_length())
        listed.fields(vector[places], 8)
        mapped.fields((vector != 0).astype(np.int64), 1)
        mapped.fields(vector[places], 8)
    for store, writer in (("list", listed), ("bitmap", mapped)):
        values, side = packed_form(store, len(vectors), size, 3)
        assert writer.bits == 8 * values + side


def test_density_and_what_follows():
    """A quarter stays: hardware that skips or gates zeros multiplies a quarter."""
    graph = net(8, 64, size=(6, 6))
    rewrite = parse_scheme("kwta:keep=0.25").apply(graph)
    assert rewrite.graph.tensors["relu2"].density == Fraction(1, 4)
    assert rewrite.graph.tensors["relu2.all"].density == 1
    report = estimate(graph, "kwta:keep=0.25", "eyeriss")
    last = {r.node: r for r in report.runs[-1].layers}["last"]
    assert last.macs == 9 * 64 * 9 * 36
    assert 4 * last.effective_macs == last.macs
    # What is known to be sparser stays as sparse.
    known = estimate(graph, "kwta:keep=0.25", "eyeriss", activations="relu2=0.9")
    assert {r.node: r for r in known.runs[-1].layers}["last"].effective_macs == -(-last.macs // 10)


def test_executed_density_is_that_of_the_estimate():
    graph = net(8, 30, size=(6, 5))
    for scheme, share in (("kwta:keep=0.1", Fraction(3, 30)), ("kwta:keep=0.5,scope=global", Fraction(1, 2))):
        rewrite = parse_scheme(scheme).apply(graph)
        images = np.random.default_rng(2).standard_normal((3, 3, 6, 5)).astype(np.float32)
        runner = plan(rewrite.graph.with_batch(3), random_weights(rewrite.graph, 1))
        for node, _, outputs in runner.walk(images):
            if node.name == "relu2":
                found = Fraction(int(np.count_nonzero(outputs[0])), outputs[0].size)
                assert found <= share == rewrite.graph.tensors["relu2"].density


def test_selection_by_hand():
    """64 channels on 6x6, 8 winners: a comparison and 3 steps of a heap a value."""
    graph = net(8, 64, size=(6, 6))
    assert row("kwta:k=8", "relu2", graph).other_ops == 64 * 36 * 4
    assert row("kwta:k=8", "relu2", graph).folded_into == LAYER
    whole = row("kwta:k=8,scope=global,store=list", "relu2", graph)
    assert (whole.other_ops, whole.folded_into) == (64 * 36 * 4, None)
    # The winners of a map are known at its end: all of it is read, 8 places of 12 bits written.
    run = estimate(graph, "kwta:k=8,scope=global,store=list").runs[-1]
    moved = {a.action: a.bits for a in run.accesses if (a.node, a.level) == ("relu2", "dram")}
    assert moved == {"read": 64 * 36 * 8, "write": 8 * (8 + 12)}


def test_more_zeros_never_take_more_traffic():
    graph = net(8, 64, size=(6, 6))
    for store in ("list", "bitmap", "best"):
        found = [written_bits(f"kwta:k={k},store={store}", graph) for k in (60, 32, 16, 8, 2, 1)]
        assert found == sorted(found, reverse=True)
        best = [written_bits(f"kwta:k={k},store=best", graph) for k in (60, 32, 16, 8, 2, 1)]
        assert all(a <= b for a, b in zip(best, found, strict=True))


def test_all_winners_are_the_dense_network():
    graph = net(16, 24)
    for scheme in ("kwta:keep=1", "kwta:k=4000", "kwta:keep=1,scope=global,store=list"):
        same_cost(scheme, graph)
    left = {e.node: e.reason for e in parse_scheme("kwta:k=24").apply(graph).left}
    assert left[LAYER] == "24 winners of 24 values are all of them"
    assert left["fc"] == "no non-linearity behind it alone"


def residual() -> LayerGraph:
    b = GraphBuilder("residual", input=(3, 6, 6))
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="a"), name="a_relu")
    y = b.relu(b.batch_norm(b.conv(x, 8, 3, padding=1, name="b"), name="b_bn"), name="b_relu")
    y = b.batch_norm(b.conv(y, 8, 3, padding=1, name="c"), name="c_bn")
    y = b.relu(b.add(x, y, name="sum"), name="sum_relu")
    return b.build(b.linear(b.flatten(y, name="flat"), 5, name="fc"))


def test_behind_batch_norms_and_additions():
    rewrite = parse_scheme("kwta:k=2").apply(residual())
    kinds = {n.name: n.op.kind for n in rewrite.graph.nodes}
    assert [name for name, kind in kinds.items() if kind == "KWinners"] == ["a_relu", "b_relu", "sum_relu"]
    assert {"a", "b", "c"} <= set(rewrite.changed)
    assert rewrite.graph.tensors["flat"].density == Fraction(2, 8)  # a view of the winners
    one = parse_scheme("b=kwta:k=2").apply(residual())
    assert [n.name for n in one.graph.nodes if n.op.kind == "KWinners"] == ["b_relu"]


def test_twice_is_once():
    scheme = parse_scheme("kwta:k=2")
    once = scheme.apply(residual())
    again = scheme.apply(once.graph)
    assert again.graph.nodes == once.graph.nodes
    assert {e.reason for e in again.left} == {"has winners already", "no non-linearity behind it alone"}


@pytest.mark.parametrize(
    "scheme", ["psconv+kwta:k=3", "shift+kwta:keep=0.5", "nm:2:4+kwta:k=5,scope=channel"]
)
def test_with_other_schemes(scheme):
    found = validate(net(32, 32, size=(6, 5)), scheme, inputs=2)
    assert found.passed, found.problems


@pytest.mark.parametrize("mode", ["int8", "int16"])
def test_in_integers(mode):
    found = validate(net(12, 10, size=(6, 5)), "kwta:k=3,kwta:keep=0.2,scope=global", mode=mode, inputs=2)
    assert found.passed, found.problems


def test_operators_that_cannot_be():
    with pytest.raises(ShapeError, match="4 values of 1x4x3x3 compete, there are no 5 winners"):
        KWinners(5).infer(((1, 4, 3, 3),))
    with pytest.raises(GraphError, match="not 'location'"):
        MapWinners(2, "location")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kwta:keep=0", "keep of scheme 'kwta' lies above 0 and is at most 1, not '0'"),
        ("kwta:keep=1.2", "at most 1, not '1.2'"),
        ("kwta:k=0", "k of scheme 'kwta' is a whole number from 1"),
        ("kwta:k=3,keep=0.5", "not both"),
        ("kwta:scope=chanel", "did you mean 'channel'?"),
        ("kwta:store=lists", "did you mean 'list'?"),
        ("kwta:winners=3", "scheme 'kwta' has no parameter 'winners'"),
        ("kwta+shift", "stands in the wrong order"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
