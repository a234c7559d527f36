"""Activations, normalisations, sums: against Python's math, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    Dropout,
    GroupNorm,
    LayerNorm,
    LearnedAdd,
    LocalResponseNorm,
    Multiply,
    Node,
    Operator,
    Softmax,
)
from energysim.graph.elementwise import ACTIVATIONS, EPSILON
from energysim.inference.reference import Array, run_operator

PLAIN: dict[str, Callable[[float], float]] = {
    "relu": lambda v: max(v, 0.0),
    "relu6": lambda v: min(max(v, 0.0), 6.0),
    "leaky_relu": lambda v: v if v >= 0 else 0.01 * v,
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v)),
    "tanh": math.tanh,
    "gelu": lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))),
    "silu": lambda v: v * PLAIN["sigmoid"](v),
    "hardswish": lambda v: v * PLAIN["relu6"](v + 3) / 6,
    "hardsigmoid": lambda v: PLAIN["relu6"](v + 3) / 6,
}


def run(op: Operator, *inputs: Array, **parameters: Array) -> Array:
    (found,) = run_operator(Node("node", op, ("x",), ("y",)), inputs, parameters)
    return found


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("function", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations(function: str, dtype: type) -> None:
    x = np.array([[-1000, -40, -6.5, -3, -1.5, -0.0, 0, 1e-3, 0.5, 3, 5.9, 6, 7, 90, 1000]], dtype)
    found = run(Activation(function), x)
    assert found.dtype == dtype
    wanted = [PLAIN[function](float(v)) for v in x[0]]
    assert np.allclose(found[0], wanted, rtol=4 * np.finfo(dtype).eps, atol=1e-30)


def test_every_activation_has_a_plain_version() -> None:
    assert set(PLAIN) == set(ACTIVATIONS)


def test_batch_norm() -> None:
    x, weight, bias, mean = normal(2, 3, 4, 5), normal(3, seed=1), normal(3, seed=2), normal(3, seed=3)
    variance = np.abs(normal(3, seed=4))
    statistics = {"running_mean": mean, "running_var": variance}
    found = run(BatchNorm(), x, weight=weight, bias=bias, **statistics)
    plain = run(BatchNorm(affine=False), x, **statistics)
    for n, c, i, j in np.ndindex(x.shape):
        value = (x[n, c, i, j] - mean[c]) / math.sqrt(variance[c] + EPSILON)
        assert plain[n, c, i, j] == pytest.approx(value, rel=1e-12)
        assert found[n, c, i, j] == pytest.approx(value * weight[c] + bias[c], rel=1e-12, abs=1e-14)
    assert np.allclose(
        run(BatchNorm(), x[:, :, 0, 0], weight=weight, bias=bias, **statistics), found[:, :, 0, 0]
    )


def moments(values: Array) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((v - mean) ** 2 for v in values) / len(values)


def test_layer_norm() -> None:
    x, weight, bias = normal(2, 3, 8), normal(8, seed=1), normal(8, seed=2)
    found, plain = run(LayerNorm(), x, weight=weight, bias=bias), run(LayerNorm(affine=False), x)
    for n, i, d in np.ndindex(x.shape):
        mean, variance = moments(x[n, i])
        value = (x[n, i, d] - mean) / math.sqrt(variance + EPSILON)
        assert plain[n, i, d] == pytest.approx(value, rel=1e-12)
        assert found[n, i, d] == pytest.approx(value * weight[d] + bias[d], rel=1e-11, abs=1e-14)


def test_group_norm() -> None:
    x, weight, bias = normal(2, 6, 3, 2), normal(6, seed=1), normal(6, seed=2)
    found = run(GroupNorm(3), x, weight=weight, bias=bias)
    for n, c, i, j in np.ndindex(x.shape):
        mean, variance = moments(x[n, c // 2 * 2 : c // 2 * 2 + 2].ravel())
        value = (x[n, c, i, j] - mean) / math.sqrt(variance + EPSILON)
        assert found[n, c, i, j] == pytest.approx(value * weight[c] + bias[c], rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 20])
def test_local_response_norm(size: int) -> None:
    """Krizhevsky et al. 2012: k = 2, alpha = 1e-4 times the plain sum of squares, beta = 0.75."""
    x = 30 * normal(2, 7, 2, 3)
    found = run(LocalResponseNorm(size), x)
    for n, c, i, j in np.ndindex(x.shape):
        neighbours = [k for k in range(c - size // 2, c + (size - 1) // 2 + 1) if 0 <= k < 7]
        assert len(neighbours) <= size
        total = math.fsum(x[n, k, i, j] ** 2 for k in neighbours)
        assert found[n, c, i, j] == pytest.approx(x[n, c, i, j] / (2 + 1e-4 * total) ** 0.75, rel=1e-12)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_softmax(axis: int) -> None:
    x = 300 * normal(2, 3, 4)
    found = run(Softmax(axis), x)
    assert np.allclose(found.sum(axis=axis), 1)
    n, i, j = 1, 2, 3
    line = {1: x[n, :, j], 2: x[n, i, :], -1: x[n, i, :]}[axis]
    wanted = 1 / math.fsum(math.exp(min(v - x[n, i, j], 700)) for v in line)
    assert found[n, i, j] == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def test_sum_and_product_repeat_axes_of_one() -> None:
    x, y, z = normal(2, 3, 4, 4), normal(2, 3, 1, 1, seed=1), normal(1, 1, 4, 4, seed=2)
    total, factor = run(Add(), x, y, z), run(Multiply(), y, x, z)
    for n, c, i, j in np.ndindex(x.shape):
        parts = (x[n, c, i, j], y[n, c, 0, 0], z[0, 0, i, j])
        assert total[n, c, i, j] == pytest.approx(sum(parts), rel=1e-12, abs=1e-14)
        assert factor[n, c, i, j] == pytest.approx(math.prod(parts), rel=1e-12)


def test_learned_addition_and_dropout() -> None:
    x, weight = normal(3, 2, 4), normal(2, 4, seed=1)
    assert np.array_equal(run(LearnedAdd(), x, weight=weight), x + weight[None])
    assert np.array_equal(run(Dropout(), x), x)
