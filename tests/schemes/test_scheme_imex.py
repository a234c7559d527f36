"""Semi-implicit steps: the unit table, the solve against linear equations, weights that are tied."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, net

from energysim.errors import GraphError, SchemeError, ShapeError, WeightsError
from energysim.graph import CircularSolve, Node
from energysim.inference.reference import run_operator
from energysim.schemes import derived_weights, parse_scheme
from energysim.walker import estimate
from energysim.weight_sets import WeightSet, rewritten_weights, uncalibrated


def solved(x: np.ndarray, weight: np.ndarray, step: float) -> np.ndarray:
    op = CircularSolve(step, weight.shape[2:])
    (found,) = run_operator(Node("s", op, ("x",), ("s",)), (x,), {"weight": weight})
    return found


@pytest.mark.parametrize("size", [(5, 7), (6, 4), (8, 8), (3, 2), (1, 5), (1, 1)])
@pytest.mark.parametrize("window", [(3, 3), (1, 3), (2, 4)])
def test_the_solve_is_that_of_linear_equations(size, window):
    """The matrix of L written out tap by tap, places modulo the map; also where the window is larger."""
    rng = np.random.default_rng(1)
    weight, x = rng.standard_normal((2, 1, *window)), rng.standard_normal((3, 2, *size))
    pixels = size[0] * size[1]
    for c in range(2):
        matrix = np.zeros((pixels, pixels))
        for i in range(size[0]):
            for j in range(size[1]):
                for r in range(window[0]):
                    for s in range(window[1]):
                        y, z = (i + r - window[0] // 2) % size[0], (j + s - window[1] // 2) % size[1]
                        matrix[i * size[1] + j, y * size[1] + z] += weight[c, 0, r, s]
        left = np.eye(pixels) + 0.3 * matrix.T @ matrix
        found = solved(x, weight, 0.3)[:, c].reshape(3, -1)
        np.testing.assert_allclose(found @ left.T, x[:, c].reshape(3, -1), rtol=0, atol=1e-12)


def test_a_stencil_of_one_tap_divides():
    """L = 2: (1 + 4 h) y = x."""
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 1, 1] = 2
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    np.testing.assert_allclose(solved(x, weight, 0.5), x / 3, rtol=0, atol=1e-12)


def test_unit_table():
    """Layer B: both uses of K count as multiply-adds, its weights are stored once, beside those of L."""
    graph = net(128, 128, size=(28, 28), padding=(1, 1, 1, 1), bias=False)
    run = estimate(graph, f"{LAYER}=imex").runs[-1]
    rows = {row.node: row for row in run.layers if row.origin == LAYER}
    assert sum(row.macs for row in rows.values()) == 231_211_008
    assert sum(row.weight_bits for row in rows.values()) == 8 * 148_608
    assert rows[f"{LAYER}.adjoint"].weight_bits == 0
    assert sum(row.side_bits for row in rows.values()) == 0
    # 784 pixels: 10 operations a pixel for each of 10 levels of the transforms, 2 for the division.
    assert rows[LAYER].other_ops == 128 * 784 * (10 * 10 + 2)
    # Layer A has 64 channels in and 128 out.
    left = parse_scheme("imex").apply(net(64, 128, size=(28, 28))).left
    assert {e.node: e.reason for e in left}[LAYER] == "64 channels become 128"


def test_weights_that_are_tied_are_read_again():
    graph = net(128, 128, size=(28, 28), padding=(1, 1, 1, 1), bias=False)
    run = estimate(graph, f"{LAYER}=imex").runs[-1]
    reads = {
        a.node: a.elements
        for a in run.accesses
        if (a.level, a.tensor, a.action) == ("dram", "weights", "read") and a.node.startswith(LAYER)
    }
    assert reads == {f"{LAYER}.explicit": 147_456, f"{LAYER}.adjoint": 147_456, LAYER: 1152}


def test_traffic_fused_and_unfused():
    """Unfused four tensors between the parts and the complex spectrum are written and read."""
    graph = net(64, 64, size=(14, 14), padding=(1, 1, 1, 1))
    fused = estimate(graph, f"{LAYER}=imex").totals()
    split = estimate(graph, f"{LAYER}=imex", fusion="split").totals()
    tensors = 3  # relu, h K^T ..., BN(u); the map itself is read once more
    assert split.total_dram_bits - fused.total_dram_bits == 8 * 64 * 196 * (2 * tensors + 1 + 2 * 2)


def test_the_adjoint_is_one():
    """<K x, y> = <x, K^T y>, for groups and uneven padding too; windows have no mean."""
    rng = np.random.default_rng(4)
    nets = (*NETS, net(12, 12, (2, 3), groups=3, padding=(0, 1, 2, 0)))
    checked = 0
    for graph in nets:
        rewrite = parse_scheme("imex").apply(graph)
        if LAYER not in rewrite.changed:
            continue
        weights = {n: a.astype(np.float64) for n, a in rewritten_weights(graph, rewrite, 5).items()}
        shape = graph.tensors["relu1"].shape
        x, y = rng.standard_normal(shape), rng.standard_normal(shape)
        pair = []
        for part, given in (("explicit", x), ("adjoint", y)):
            node = rewrite.graph.node(f"{LAYER}.{part}")
            own = weights[f"{node.name}.weight"]
            assert np.abs(weights[f"{LAYER}.explicit.weight"].mean(axis=(2, 3))).max() < 1e-7
            pair.append(run_operator(node, (given,), {"weight": own})[0])
        assert float((pair[0] * y).sum()) == pytest.approx(float((x * pair[1]).sum()), rel=1e-10, abs=1e-9)
        checked += 1
    assert checked >= 3


def test_weights_of_a_file_must_obey(tmp_path):
    graph = net(16, 16, size=(5, 5))
    rewrite = parse_scheme("imex").apply(graph)
    made = rewritten_weights(graph, rewrite, 0)
    file = tmp_path / "w.npz"
    np.savez(file, **made)
    found = uncalibrated(WeightSet("file 'w.npz'", file), graph, rewrite)
    assert all(np.array_equal(found[name], made[name]) for name in made)
    np.savez(file, **{**made, f"{LAYER}.adjoint.weight": -made[f"{LAYER}.adjoint.weight"]})
    with pytest.raises(WeightsError, match=f"'{LAYER}.adjoint.weight' does not obey imex"):
        uncalibrated(WeightSet("file 'w.npz'", file), graph, rewrite)
    dense = {name: np.zeros(shape) for name, shape in graph.parameters().items()}
    with pytest.raises(WeightsError, match="needs weights trained in this form"):
        derived_weights(rewrite, dense)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (net(16, 16, stride=(2, 2), padding=(1, 1, 1, 1)), "the map changes its size"),
        (net(16, 16, padding=(0, 0, 0, 0)), "the map changes its size"),
        (net(16, 16, groups=16), "depthwise"),
        (net(16, 16, (1, 1)), "1x1 window"),
    ],
)
def test_what_is_left_and_why(graph, reason):
    assert {e.node: e.reason for e in parse_scheme("imex").apply(graph).left}[LAYER] == reason


def test_operators_that_cannot_be():
    with pytest.raises(GraphError, match="a step is a number above 0"):
        CircularSolve(0.0)
    with pytest.raises(ShapeError):
        CircularSolve(0.1).infer(((1, 4),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imex:h=0", "h of scheme 'imex' lies above 0 and is at most 1, not '0'"),
        ("imex:h=1.5", "at most 1, not '1.5'"),
        ("imex:step=1", "scheme 'imex' has no parameter 'step'"),
        ("imex+nm:2:4", "'imex' and 'nm:2:4' each decide which weights exist"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
