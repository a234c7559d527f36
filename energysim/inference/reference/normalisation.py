"""Normalisations and softmax."""

from __future__ import annotations

import numpy as np

from energysim.graph import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LogSoftmax,
    Softmax,
)
from energysim.inference.reference.types import Array, Parameters

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "log_softmax",
    "softmax",
]


def _affine(x: Array, parameters: Parameters, axis: int) -> Array:
    """Return ``x * weight + bias`` with both along one axis, if there are any."""
    if "weight" not in parameters:
        return x
    shape = [1] * x.ndim
    shape[axis] = -1
    return np.asarray(x * parameters["weight"].reshape(shape) + parameters["bias"].reshape(shape))


def batch_norm(op: BatchNorm, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`` along axis 1."""
    (x,) = inputs
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, variance = parameters["running_mean"], parameters["running_var"]
    scale = 1 / np.sqrt(variance + variance.dtype.type(op.epsilon))
    return (_affine((x - mean.reshape(shape)) * scale.reshape(shape), parameters, 1),)


def _standardised(x: Array, epsilon: float) -> Array:
    """Return x with mean 0 and variance 1 along its last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + x.dtype.type(epsilon)))


def layer_norm(op: LayerNorm, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Standardise along the last axis, then scale and shift along it."""
    return (_affine(_standardised(inputs[0], op.epsilon), parameters, -1),)


def group_norm(op: GroupNorm, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Standardise each group of channels of each sample, then scale and shift per channel."""
    (x,) = inputs
    grouped = _standardised(x.reshape(x.shape[0], op.groups, -1), op.epsilon)
    return (_affine(grouped.reshape(x.shape), parameters, 1),)


def instance_norm(op: InstanceNorm, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Standardise each channel of each sample, then scale and shift per channel."""
    (x,) = inputs
    flat = _standardised(x.reshape(*x.shape[:2], -1), op.epsilon)
    return (_affine(flat.reshape(x.shape), parameters, 1),)


def local_response_norm(
    op: LocalResponseNorm, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Return ``x / (k + alpha * sum of x**2 over neighbours) ** beta``.

    The neighbours of channel c are c - n div 2 to c + (n - 1) div 2, as far as they exist.
    """
    (x,) = inputs
    channels = x.shape[1]
    squares = np.square(x)
    total = np.zeros_like(x)
    for distance in range(-(op.size // 2), (op.size - 1) // 2 + 1):
        first, last = max(0, -distance), min(channels, channels - distance)
        if first < last:
            total[:, first:last] += squares[:, first + distance : last + distance]
    return (np.asarray(x / (op.k + op.alpha * total) ** op.beta, dtype=x.dtype),)


def softmax(op: Softmax, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``exp(x) / sum of exp(x)`` along an axis, the maximum subtracted first."""
    (x,) = inputs
    powers = np.exp(x - x.max(axis=op.axis, keepdims=True))
    return (powers / powers.sum(axis=op.axis, keepdims=True),)


def log_softmax(op: LogSoftmax, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``x - log(sum of exp(x))`` along an axis, the maximum subtracted first."""
    (x,) = inputs
    shifted = x - x.max(axis=op.axis, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=op.axis, keepdims=True)),)
