"""Every member of every family: runs equal to what it is to equal, costs what is run and written."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import EDGE, LAYER, NETS, members, net, random_net

from energysim.errors import SchemeError
from energysim.graph import Conv2d, LayerGraph, Linear
from energysim.inference import plan
from energysim.inference.reference import run_operator
from energysim.inference.weights import expected_weights
from energysim.schemes import (
    SCHEMES,
    Rewrite,
    StructuralScheme,
    equivalent_weights,
    own_arrays,
    parse_scheme,
    weighted_nodes,
)
from energysim.schemes.block import EXACTNESS, Recipe
from energysim.validate import validate
from energysim.walker import estimate
from energysim.weight_sets import rewritten_weights

MEMBERS = members()
each_member = pytest.mark.parametrize("member", MEMBERS)


def nets(count: int = 6) -> list[LayerGraph]:
    return [*NETS, *(random_net(seed) for seed in range(count))]


def changed_nets(member: str) -> list[tuple[LayerGraph, Rewrite]]:
    found = [(graph, parse_scheme(member).apply(graph)) for graph in nets()]
    return [(graph, rewrite) for graph, rewrite in found if LAYER in rewrite.changed]


@each_member
def test_some_of_the_networks_are_changed(member):
    assert len(changed_nets(member)) >= 2


@each_member
@pytest.mark.parametrize(
    ("path", "first", "step"),
    [
        ("compact", 0, 2),
        ("fast", 1, 4),
        pytest.param("compact", 1, 2, marks=pytest.mark.slow),
        pytest.param("fast", 0, 1, marks=pytest.mark.slow),
    ],
)
def test_runs_as_it_is_costed_and_stored(member, path, first, step):
    """Outputs against the dense equivalent, executed multiply-adds and encoded bits against the estimate.

    On every so many of the networks; on all of them in the slow tests.
    """
    for graph, _ in changed_nets(member)[first::step]:
        found = validate(graph, member, EDGE, inputs=2, path=path)
        assert found.passed, (graph.name, found.problems)


def blocks(member: str) -> list[tuple[LayerGraph, Rewrite, Recipe]]:
    return [
        (graph, rewrite, recipe)
        for graph, rewrite in changed_nets(member)
        for step in rewrite.steps
        for recipe in step
        if recipe.node == LAYER
    ]


def run_block(rewrite: Rewrite, recipe: Recipe, x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """The block by the definitions of its operators, in the arrays' own type."""
    graph = rewrite.graph
    live = {graph.node(LAYER).inputs[0]: x, "relu1": x}
    for node in graph.nodes:
        if node.name in recipe.parts:
            own = {
                name.rpartition(".")[2]: a
                for name, a in weights.items()
                if name.rpartition(".")[0] == node.name
            }
            op = node.op
            if isinstance(op, Conv2d | Linear) and op.kernel is not None:
                own["weight"] = np.where(op.kernel.mask().reshape(own["weight"].shape), own["weight"], 0)
            outputs = run_operator(node, tuple(live[t] for t in node.inputs), own)
            live.update(zip(node.outputs, outputs, strict=True))
    return live[LAYER]


def of_kept(rewrite: Rewrite, tensor: str, array: np.ndarray) -> np.ndarray:
    """What the rewritten network has of a tensor of the original."""
    return array[:, list(rewrite.kept[tensor])] if tensor in rewrite.kept else array


def drawn_weights(graph: LayerGraph, rewrite: Rewrite) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float64) for name, array in rewritten_weights(graph, rewrite, 3).items()}


@each_member
def test_a_block_equals_its_reference(member):
    """In float64: the dense equivalent of E1 and E2, the paper's own formula of E3."""
    for graph, rewrite, recipe in blocks(member):
        weights = drawn_weights(graph, rewrite)
        x = np.random.default_rng(5).standard_normal((2, *graph.tensors["relu1"].shape[1:]))
        found = run_block(rewrite, recipe, of_kept(rewrite, "relu1", x), weights)
        own = own_arrays(recipe, weights)
        if recipe.exactness == "E3":
            assert recipe.reference is not None
            expected = recipe.reference(of_kept(rewrite, "relu1", x), own)
        elif recipe.exactness in ("E1", "E2"):
            assert recipe.equivalent is not None
            node = graph.node(LAYER)
            (expected,) = run_operator(node, (x,), recipe.equivalent(own))
            expected = of_kept(rewrite, LAYER, expected)
        else:
            continue
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-11 * max(1.0, float(np.abs(expected).max()))
        )
        assert found.shape == (2, *rewrite.graph.tensors[LAYER].shape[1:])


@each_member
def test_a_block_of_integers_is_exact(member):
    rng = np.random.default_rng(6)
    for graph, rewrite, recipe in blocks(member):
        if not recipe.integers:
            continue
        weights = {
            name: rng.integers(-9, 10, shape).astype(np.int64)
            for name, shape in expected_weights(rewrite.graph).items()
        }
        x = rng.integers(-99, 100, (2, *graph.tensors["relu1"].shape[1:])).astype(np.int64)
        assert recipe.equivalent is not None
        dense = recipe.equivalent(own_arrays(recipe, weights))
        (expected,) = run_operator(graph.node(LAYER), (x,), dense)
        found = run_block(rewrite, recipe, of_kept(rewrite, "relu1", x), weights)
        assert np.array_equal(found, of_kept(rewrite, LAYER, expected))


@each_member
def test_weights_that_follow_from_dense_ones(member):
    """They have the names and shapes of the new network; what they are equivalent to has the old ones."""
    rng = np.random.default_rng(8)
    for graph, rewrite, recipe in blocks(member):
        shapes = {
            n: s for n, s in expected_weights(rewrite.graph).items() if n.rpartition(".")[0] in recipe.parts
        }
        if recipe.derive is None:
            continue
        node = graph.node(LAYER)
        dense = {
            s: rng.standard_normal(shape) for s, shape in node.op.parameters(graph.input_shapes(node)).items()
        }
        made = {f"{LAYER}.{key}": array for key, array in recipe.derive(dense).items()}
        assert {name: array.shape for name, array in made.items()} == shapes
        if recipe.exactness in ("E1", "E2"):
            assert recipe.equivalent is not None
            back = recipe.equivalent(own_arrays(recipe, made))
            assert {k: a.shape for k, a in back.items()} == {k: a.shape for k, a in dense.items()}


@each_member
def test_text_and_back(member):
    scheme = parse_scheme(member)
    assert parse_scheme(str(scheme)) == scheme
    assert hash(parse_scheme(str(scheme))) == hash(scheme)


@each_member
def test_the_trace_is_complete(member):
    for graph in nets(2):
        rewrite = parse_scheme(member).apply(graph)
        assert list(rewrite.trace) == [node.name for node in rewrite.graph]
        originals = {node.name for node in graph}
        weighted = [node.name for node in weighted_nodes(graph)]
        for origin in rewrite.trace.values():
            assert origin.node in originals
            assert origin.exactness in EXACTNESS
        left = [entry.node for entry in rewrite.left]
        assert sorted([*(n for n in rewrite.changed if n in weighted), *left]) == sorted(weighted)
        assert left == [name for name in weighted if name in left]
        assert all(entry.reason for entry in rewrite.left)
        assert set(rewrite.extras) <= set(rewrite.trace)
        assert rewrite.internal <= set(rewrite.graph.tensors)
        assert rewrite.graph.outputs == graph.outputs


@each_member
def test_nothing_asked_nothing_changed(member):
    graph = NETS[0]
    rewrite = parse_scheme(member).apply(graph, ())
    assert rewrite.graph.nodes == graph.nodes
    assert rewrite.changed == ()


@each_member
def test_structural_schemes_twice_are_once(member):
    scheme = parse_scheme(member)
    if not isinstance(scheme, StructuralScheme):
        pytest.skip("replaces layers: what they become may be replaced again")
    for graph, rewrite in changed_nets(member):
        assert scheme.apply(rewrite.graph).graph.nodes == rewrite.graph.nodes, graph.name


@each_member
def test_fused_never_costs_more_than_unfused(member):
    for graph, _ in changed_nets(member)[::3]:
        report = estimate(graph, member, EDGE)
        sums, dense = report.totals(), report.totals("dense")
        assert sums.total_energy_aj <= sums.unfused_energy_aj
        assert sums.total_dram_bits <= sums.unfused_dram_bits
        assert (dense.total_energy_aj, dense.total_dram_bits) == (
            dense.unfused_energy_aj,
            dense.unfused_dram_bits,
        )
        apart = estimate(graph, member, EDGE, fusion="split").totals()
        assert (apart.total_energy_aj, apart.total_dram_bits) == (
            sums.unfused_energy_aj,
            sums.unfused_dram_bits,
        )


@each_member
def test_twice_the_images_twice_the_work(member):
    for graph, _ in changed_nets(member)[:2]:
        one = estimate(graph, member, EDGE).totals()
        two = estimate(graph, member, EDGE, batch=2).totals()
        for quantity in ("macs", "float_macs", "additions", "gathers", "other_ops", "dense_macs"):
            assert getattr(two, quantity) == 2 * getattr(one, quantity), quantity
        assert two.stored_weight_bits == one.stored_weight_bits


@pytest.mark.parametrize("name", sorted(SCHEMES.builtin))
def test_bad_parameters_are_told(name):
    for text in (f"{name}:nonsense=1", f"{name}:nonsense"):
        with pytest.raises(SchemeError) as caught:
            parse_scheme(text)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_equivalent_of_a_whole_network():
    """Names and shapes of the original; run by the reference, it gives what the rewritten one gives."""
    graph = net(27, 10, size=(8, 8))
    rewrite = parse_scheme("shift").apply(graph)
    weights = rewritten_weights(graph, rewrite, 0)
    dense = equivalent_weights(rewrite, weights)
    assert {name: a.shape for name, a in dense.items()} == expected_weights(graph)
    images = np.random.default_rng(1).standard_normal((2, 3, 8, 8))
    expected = plan(graph, {n: a.astype(np.float32) for n, a in dense.items()}).run(images)
    np.testing.assert_allclose(plan(rewrite.graph, weights).run(images), expected, atol=1e-5)
