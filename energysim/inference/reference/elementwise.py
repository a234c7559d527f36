"""Activations, sums and products of elements.

Activations follow PyTorch where definitions differ: leaky ReLU has a slope of 0.01 below zero, the
hard sigmoid is relu6(x + 3) / 6, GELU is exact (with the error function, not its approximation).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from energysim.graph import Activation, Add, Dropout, LearnedAdd, Multiply
from energysim.inference.reference.types import Array, Parameters

__all__ = ["FUNCTIONS", "activation", "add", "dropout", "erf", "learned_add", "multiply"]

_erf = np.frompyfunc(math.erf, 1, 1)


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow on either side."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small), dtype=x.dtype)


def _relu6(x: Array) -> Array:
    return np.asarray(np.clip(x, 0, 6))


def erf(x: Array) -> Array:
    """Return the error function of each element."""
    return np.asarray(_erf(x.astype(np.float64)), dtype=np.float64).astype(x.dtype)


def _gelu(x: Array) -> Array:
    exact = x.astype(np.float64)
    return np.asarray(0.5 * exact * (1 + erf(exact / math.sqrt(2))), dtype=x.dtype)


#: Name of an activation -> function of an array of any shape.
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.asarray(np.maximum(x, 0)),
    "relu6": _relu6,
    "leaky_relu": lambda x: np.where(x >= 0, x, x * x.dtype.type(0.01)),
    "sigmoid": _sigmoid,
    "tanh": lambda x: np.asarray(np.tanh(x)),
    "gelu": _gelu,
    "silu": lambda x: np.asarray(x * _sigmoid(x)),
    "hardswish": lambda x: np.asarray(x * (_relu6(x + 3) / 6)),
    "hardsigmoid": lambda x: np.asarray(_relu6(x + 3) / 6),
}


def activation(op: Activation, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Apply an element-wise function."""
    return (FUNCTIONS[op.function](inputs[0]),)


def dropout(op: Dropout, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the input: dropout does nothing at inference."""
    return (inputs[0],)


def add(op: Add, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the sum of all inputs, from the first to the last; axes of length 1 are repeated."""
    total = inputs[0] + inputs[1]
    for other in inputs[2:]:
        total = total + other
    return (total,)


def multiply(op: Multiply, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the product of all inputs, from the first to the last; axes of length 1 are repeated."""
    total = inputs[0] * inputs[1]
    for other in inputs[2:]:
        total = total * other
    return (total,)


def learned_add(op: LearnedAdd, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Add a learned tensor of one sample's shape to every sample."""
    return (inputs[0] + parameters["weight"],)
