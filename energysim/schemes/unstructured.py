"""``unstructured``: any weights of a layer are kept, at random or by magnitude, up to a density.

Source: Han, Pool, Tran, Dally, "Learning both Weights and Connections for Efficient Neural Networks",
NIPS 2015 (magnitude). Of n weights floor(density * n) are kept (assumed; at least one). With
``balance=K`` each K consecutive filters keep the same share by themselves, so that lanes which work on
K filters are loaded alike (Yao et al., "Balanced Sparsity for Efficient DNN Inference on GPU", AAAI 2019,
balance rows of a matrix: K = 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from energysim.errors import SchemeError
from energysim.kernels import Kernel, WeightShape, cheapest_support
from energysim.kernels.thinned import Costs
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, fraction, fraction_text, integer, read_parameters
from energysim.schemes.thinning import SHARED, Thinning, shared_values

__all__ = ["KIND", "Unstructured", "parse"]

_LARGEST = 1 << 20
_ACCEPTED = {"density": "0..1", "balance": f"0..{_LARGEST}", **SHARED}


@dataclass(frozen=True)
class Unstructured(Thinning):
    """Weights anywhere.

    Parameters
    ----------
    density : Fraction
        Share of the weights that is kept, above 0 and at most 1.
    balance : int
        Consecutive filters that keep their share by themselves; 0: the layer as a whole.

    Raises
    ------
    SchemeError
        For any other value.
    """

    density: Fraction = Fraction(1, 2)
    balance: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise SchemeError(
                "density of scheme 'unstructured' is above 0 and at most 1, "
                f"not {fraction_text(self.density)}"
            )
        check_range("unstructured", "balance", self.balance, 0, _LARGEST)
        self.check_shared("unstructured")

    def __str__(self) -> str:
        balance = f",balance={self.balance}" if self.balance else ""
        return f"unstructured:density={fraction_text(self.density)}{balance}{self.shared_text()}"

    def support(self, shape: WeightShape, costs: Callable[[], Costs]) -> Kernel | str:
        """See :meth:`Thinning.support`."""
        each = shape[1] * shape[2] * shape[3]
        starts = tuple(range(0, shape[0], self.balance or shape[0]))
        sizes = [(last - first) * each for first, last in zip(starts, (*starts[1:], shape[0]), strict=True)]
        kept = tuple(max(1, int(self.density * size)) for size in sizes)
        if list(kept) == sizes:
            return "every position would be kept"
        return cheapest_support(costs(), kept, starts)

    def assumptions(self) -> tuple[str, ...]:
        """Return which parts of the scheme rest on no source."""
        return (f"{self}: the number of weights kept is rounded down",)


def parse(text: str) -> Unstructured:
    """Return the scheme written behind ``unstructured:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("unstructured", text, _ACCEPTED)
    found = shared_values("unstructured", given)
    if "density" in given:
        found["density"] = fraction("unstructured", "density", given["density"])
    if "balance" in given:
        found["balance"] = integer("unstructured", "balance", given["balance"])
    return Unstructured(**found)


KIND = SchemeKind(
    parse,
    "any weights, at random or by magnitude, up to a density",
    ("unstructured:density=0.5", "unstructured:density=0.1,balance=4"),
)
