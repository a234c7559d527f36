"""What becomes of pixels before a network sees them; always said, never guessed from values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.data.base import FloatArray
from energysim.errors import UsageError, near_miss

__all__ = ["KNOWN", "NONE", "Normalisation", "read_normalisation"]

_ACCEPTED = "none, cifar10, imagenet, or MEAN,STD such as 0.5,0.25 or 0.5/0.4/0.3,0.2/0.2/0.2"


@dataclass(frozen=True)
class Normalisation:
    """``(pixel - mean) / std``, channel by channel, of pixels from 0 to 1.

    Attributes
    ----------
    mean, std : tuple of float
        One number for each channel, or one for all.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __str__(self) -> str:
        if self == NONE:
            return "no mean or deviation taken off"
        mean, std = ("/".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return f"mean {mean} taken off, divided by {std}"

    def __call__(self, images: NDArray[Any]) -> FloatArray:
        """Return normalised float32 images (N, C, H, W).

        Raises
        ------
        UsageError
            If it is for another number of channels.
        """
        if self == NONE:
            return _float32(images)
        for values in (self.mean, self.std):
            if len(values) not in (1, images.shape[1]):
                raise UsageError(
                    f"the normalisation is for {len(values)} channels, the images have {images.shape[1]}"
                )
        mean = np.array(self.mean, dtype=np.float64).reshape(-1, 1, 1)
        std = np.array(self.std, dtype=np.float64).reshape(-1, 1, 1)
        return _float32((images - mean) / std)


def _float32(images: NDArray[Any]) -> FloatArray:
    """Return float32 numbers in C order; what is beyond them becomes infinity, for others to tell."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(images, dtype=np.float32)


NONE = Normalisation()
#: Means and deviations of the training images, per channel, as they are commonly used: of CIFAR-10,
#: and of ImageNet as in torchvision's reference transforms.
KNOWN = {
    "none": NONE,
    "cifar10": Normalisation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "imagenet": Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def read_normalisation(given: str) -> Normalisation:
    """Return the normalisation of an option's text.

    Raises
    ------
    UsageError
        For any other text; says what is accepted.
    """
    if given in KNOWN:
        return KNOWN[given]
    parts = given.split(",")
    if len(parts) != 2:
        raise UsageError(f"unknown normalisation {given!r}{near_miss(given, KNOWN)} ({_ACCEPTED})")
    try:
        mean, std = (tuple(float(v) for v in part.split("/")) for part in parts)
    except ValueError:
        raise UsageError(f"the normalisation {given!r} holds what is no number ({_ACCEPTED})") from None
    if not all(math.isfinite(v) for v in (*mean, *std)) or not all(v > 0 for v in std):
        raise UsageError(f"the normalisation {given!r} needs finite means and deviations above 0")
    return Normalisation(mean, std)
