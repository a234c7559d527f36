"""What inputs are: images as the network takes them, perhaps labels, and where both come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import DataError
from energysim.graph import LayerGraph
from energysim.graph.shapes import Shape, product, text

__all__ = [
    "Data",
    "FloatArray",
    "IntArray",
    "batch_size",
    "checked_data",
    "checked_image_shape",
    "checked_labels",
    "chosen",
    "classes_of",
    "sample_shape",
]

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Data:
    """Images for one network.

    Attributes
    ----------
    images : float32 array of shape (N, C, H, W), or dict of input name to array
        A dict only if the network has several inputs.
    labels : int64 array of shape (N,), or None
    source : str
        Where they come from, in words, without any folder.
    normalisation : str
        What became of the pixels, in words.
    random : bool
        Whether the images are noise that shows nothing.
    """

    images: FloatArray | dict[str, FloatArray]
    labels: IntArray | None
    source: str
    normalisation: str
    random: bool = False

    @property
    def count(self) -> int:
        """N."""
        images = self.images
        return len(next(iter(images.values())) if isinstance(images, dict) else images)

    def batches(self, size: int) -> Iterator[Data]:
        """Yield the images in order, ``size`` at a time."""
        for start in range(0, self.count, size):
            part = slice(start, start + size)
            images = self.images
            yield Data(
                {name: array[part] for name, array in images.items()}
                if isinstance(images, dict)
                else images[part],
                None if self.labels is None else self.labels[part],
                self.source,
                self.normalisation,
                self.random,
            )


def batch_size(graph: LayerGraph) -> int:
    """Return how many images at a time keep the network's largest tensor within 32 MiB of float32."""
    largest = max(product(tensor.shape[1:]) for tensor in graph.tensors.values())
    return max(1, min(32, (1 << 23) // largest))


def sample_shape(graph: LayerGraph, source: str) -> Shape:
    """Return the shape (C, H, W) of the network's only input.

    Raises
    ------
    DataError
        If it has several inputs, or one that is no image.
    """
    if len(graph.inputs) != 1:
        raise DataError(
            f"{graph.name!r} has {len(graph.inputs)} inputs: it runs on random data, not on {source}"
        )
    shape = graph.tensor(graph.inputs[0]).shape[1:]
    if len(shape) != 3:
        raise DataError(f"{graph.name!r} takes {text(shape)}, no images: {source} cannot be used")
    return shape


def classes_of(graph: LayerGraph) -> int | None:
    """Return how many classes the network tells apart; None if its output is no (N, K) alone."""
    shapes = [graph.tensor(name).shape for name in graph.outputs]
    return shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 2 else None


def checked_image_shape(graph: LayerGraph, source: str, shape: Shape) -> None:
    """Raise DataError unless images of shape (C, H, W) are what the network takes."""
    needed = sample_shape(graph, source)
    if tuple(shape) == needed:
        return
    moved = len(shape) == 3 and (shape[2], shape[0], shape[1]) == needed
    hint = "; the channels must come first" if moved else ""
    raise DataError(
        f"{source}: images of {text(shape) or 'one number'}, but {graph.name!r} takes {text(needed)}{hint}"
    )


def checked_labels(graph: LayerGraph, source: str, labels: NDArray[Any], count: int) -> IntArray:
    """Return labels as int64.

    Raises
    ------
    DataError
        Unless there is one whole number for each image, a class of the network; names the first
        that is not.
    """
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        what = f"{labels.dtype} of shape {text(labels.shape) or 'of one number'}"
        raise DataError(f"{source}: labels are {count} whole numbers, one for each image, not {what}")
    classes = classes_of(graph)
    if classes is None:
        raise DataError(f"{graph.name!r} tells no classes apart: it has no use for the labels of {source}")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        at = int(wrong[0])
        raise DataError(
            f"{source}: label {labels[at]} of image {at} is no class of {graph.name!r} (0 to {classes - 1})"
        )
    return labels.astype(np.int64)


def checked_data(graph: LayerGraph, data: Data) -> Data:
    """Return the data; raise DataError if an image holds NaN or infinity (the first is named)."""
    images = data.images
    assert not isinstance(images, dict)
    finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
    if not finite.all():
        raise DataError(f"{data.source}: image {int(np.argmin(finite))} holds NaN or infinity (in float32)")
    return data


def chosen(total: int, count: int | None, source: str, most: int | None = None) -> IntArray:
    """Return which of ``total`` images are used: evenly spaced, so that sorted classes all take part.

    Parameters
    ----------
    total : int
    count : int, optional
        How many are wanted; by default all, but not more than ``most``.
    source : str
    most : int, optional

    Raises
    ------
    DataError
        If there are not so many.
    """
    if total == 0:
        raise DataError(f"{source}: holds no image")
    if count is None:
        count = total if most is None else min(total, most)
    if count > total:
        raise DataError(f"{source}: {count} images are asked for, it holds {total}")
    return np.arange(count, dtype=np.int64) * total // count
