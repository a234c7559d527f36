"""How far arrays are from a reference, gathered batch by batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_ZEROS", "Differences"]

#: A reference with a larger share of zeros shows nothing.
MOST_ZEROS = 0.99


class Differences:
    """Differences of one tensor from its reference, and what the reference itself looks like.

    Mean and variance of the batches are joined by the formula of Chan, Golub and LeVeque (1979), in
    float64.

    Attributes
    ----------
    elements, zeros, differing : int
        Of the reference, zeros in it, and elements that are not the same.
    """

    def __init__(self) -> None:
        self.elements = self.zeros = self.differing = 0
        self._mean = self._squares = self._largest = 0.0
        self._low, self._high = math.inf, -math.inf
        self._finite = True

    def add_reference(self, reference: NDArray[Any]) -> None:
        """Take note of a batch of the reference."""
        count = reference.size
        if not count:
            return
        with np.errstate(all="ignore"):
            mean = float(reference.mean(dtype=np.float64))
            squares = float(reference.var(dtype=np.float64)) * count
        self._finite = self._finite and math.isfinite(mean)
        off, total = mean - self._mean, self.elements + count
        self._squares += squares + off * off * self.elements * count / total
        self._mean += off * count / total
        self.elements = total
        self.zeros += count - int(np.count_nonzero(reference))
        self._low = min(self._low, float(reference.min()))
        self._high = max(self._high, float(reference.max()))

    def add(self, reference: NDArray[Any], found: NDArray[Any]) -> None:
        """Take note of a batch of both; arrays of other shapes differ beyond all bounds."""
        self.add_reference(reference)
        if found.shape != reference.shape:
            self.differing += reference.size
            self._largest = math.nan
            return
        with np.errstate(invalid="ignore"):
            off = np.abs(found.astype(np.float64) - reference)
        self.differing += int(np.count_nonzero(off))  # NaN counts
        largest = float(off.max()) if off.size else 0.0
        if not math.isnan(self._largest) and not largest <= self._largest:  # NaN stays
            self._largest = largest

    @property
    def deviation(self) -> float:
        """Standard deviation of the reference; a single number has none, its magnitude stands for it."""
        if self.elements == 1:
            return abs(self._mean)
        return math.sqrt(max(0.0, self._squares) / self.elements) if self.elements else 0.0

    @property
    def largest(self) -> float | None:
        """The largest difference; None if it is no number."""
        return self._largest if math.isfinite(self._largest) else None

    @property
    def relative(self) -> float | None:
        """The largest difference over the standard deviation; None if that is no number."""
        if self.largest is None or (self.largest and not self.deviation):
            return None
        return self.largest / self.deviation if self.largest else 0.0

    def problem(self, tolerance: float) -> str | None:
        """Return what is wrong if the difference passes the tolerance (0: bit for bit)."""
        if not self.differing:
            return None
        share = f"{self.differing} of {self.elements} outputs differ from the dense form"
        if self.largest is None or self.relative is None:
            return f"{share}, some without any bound"
        if tolerance and self.relative <= tolerance:
            return None
        bound = f"allowed are {tolerance:g}" if tolerance else "none may"
        return f"{share}, by up to {self.largest:.3g} or {self.relative:.3g} standard deviations; {bound}"

    @property
    def finite(self) -> bool:
        """Whether the reference holds finite numbers only."""
        return self._finite

    @property
    def meaningless(self) -> str | None:
        """Return why the reference shows nothing, or None."""
        if not self.elements:
            return "meaningless: the reference has no activations"
        if not self._finite:
            return "the reference's activations are not all finite"
        if self.elements > 1 and self._low == self._high:
            return f"meaningless: the reference's activations are all {self._low:g}"
        if self.zeros > MOST_ZEROS * self.elements:
            return f"meaningless: {self.zeros} of the reference's {self.elements} activations are zero"
        return None
