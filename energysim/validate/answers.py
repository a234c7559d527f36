"""Which classes two forms of a network name, and whether they are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.data.base import IntArray

__all__ = ["Answers"]


class Answers:
    """First class and five best classes of a reference and of another form, image by image.

    Where two numbers are equal, the lower class comes first.

    Parameters
    ----------
    classes : int or None
        K; with fewer than five, the best five are all.

    Attributes
    ----------
    images : int
    top1_same, top5_same : int
        Images on which both name the same first class, and the same set of five.
    top1_margin, top5_margin : float
        How far apart, in the reference, the farthest two classes are that the forms exchange.
    labelled, top1_correct, top5_correct : int
        Of the other form.
    """

    def __init__(self, classes: int | None) -> None:
        self.best = min(5, classes or 0)
        self.images = self.top1_same = self.top5_same = 0
        self.top1_margin = self.top5_margin = 0.0
        self.labelled = self.top1_correct = self.top5_correct = 0

    def add(self, reference: NDArray[Any], found: NDArray[Any], labels: IntArray | None) -> None:
        """Take note of a batch of outputs (N, K)."""
        expected, given = (np.argsort(-a, axis=1, kind="stable")[:, : self.best] for a in (reference, found))
        self.images += len(reference)
        same, margin = _exchanged(reference, expected[:, :1], given[:, :1])
        self.top1_same += same
        self.top1_margin = max(self.top1_margin, margin)
        same, margin = _exchanged(reference, expected, given)
        self.top5_same += same
        self.top5_margin = max(self.top5_margin, margin)
        if labels is not None:
            self.labelled += len(labels)
            self.top1_correct += int((given[:, 0] == labels).sum())
            self.top5_correct += int((given == labels[:, None]).any(axis=1).sum())


def _exchanged(reference: NDArray[Any], expected: IntArray, given: IntArray) -> tuple[int, float]:
    """Return on how many images two sets of classes are the same, and the largest margin elsewhere."""
    same, margin = 0, 0.0
    for numbers, left, right in zip(reference, expected, given, strict=True):
        lost, gained = set(left.tolist()) - set(right.tolist()), set(right.tolist()) - set(left.tolist())
        if not lost:
            same += 1
            continue
        apart = max(float(numbers[i]) for i in lost) - min(float(numbers[i]) for i in gained)
        margin = max(margin, apart)
    return same, margin
