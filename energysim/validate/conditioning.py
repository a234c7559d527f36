"""How much a network makes of a single error of rounding: no other form of it can be held to less."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from energysim.data import Data
from energysim.inference import Plan
from energysim.inference.base import Images
from energysim.inference.reference.types import Array
from energysim.validate.differences import Differences

__all__ = ["sensitivity"]


def sensitivity(reference: Plan, data: Data) -> float:
    """Return how far the outputs move if each input moves to a neighbouring float32, up or down.

    Of the first batch, over the standard deviation of the outputs; infinite if that is no number.
    """
    batch = next(data.batches(reference.graph.batch))
    images = batch.images
    inputs = images if isinstance(images, Mapping) else {"": images}
    moved: dict[str, Array] = {}
    for number, (name, array) in enumerate(sorted(inputs.items())):
        raw = np.random.Philox(key=np.array([number, 0], dtype=np.uint64)).random_raw(array.size)
        up = (raw >> np.uint64(63)).astype(bool).reshape(array.shape)
        if np.issubdtype(array.dtype, np.floating):
            moved[name] = np.nextafter(array, np.where(up, np.inf, -np.inf).astype(array.dtype))
        else:
            moved[name] = array
    found = Differences()
    before = _outputs(reference, images)
    after = _outputs(reference, moved if isinstance(images, Mapping) else moved[""])
    for one, two in zip(before, after, strict=True):
        found.add(one, two)
    return float("inf") if found.relative is None else found.relative


def _outputs(reference: Plan, images: Images) -> list[Array]:
    given = reference.run(images)
    named = given if isinstance(given, dict) else {"": given}
    return [np.array(named[name]) for name in sorted(named)]
