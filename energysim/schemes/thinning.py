"""What the schemes have in common that keep some weights of a layer and drop the others.

By default the kept weights are drawn at random (raw Philox numbers, key = seed and a number made from the
layer's name), so a mask depends on nothing but seed, layer name and shape. ``by=magnitude`` keeps the
largest of given weights instead (``energysim estimate --weights FILE``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError, WeightsError, near_miss
from energysim.hardware.quantities import show
from energysim.kernels import Kernel, WeightShape, random_costs
from energysim.kernels.thinned import Costs
from energysim.schemes.base import StructuralScheme
from energysim.schemes.layers import Layer, usual_refusal
from energysim.schemes.parameters import check_range, integer

__all__ = ["SHARED", "Thinning", "one_word", "shared_values"]

#: Parameters that all of them take.
SHARED = {"layers": "conv|all", "by": "random|magnitude", "seed": "0..18446744073709551615"}

Self = TypeVar("Self", bound="Thinning")


def one_word(scheme: str, key: str, value: str, words: tuple[str, ...]) -> None:
    """Raise SchemeError unless a value is one of a few words."""
    if value not in words:
        raise SchemeError(
            f"{key} of scheme {scheme!r} is {', '.join(words[:-1])} or {words[-1]}, not {show(value)}"
            f"{near_miss(str(value), words)}"
        )


def shared_values(scheme: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the shared parameters that are given."""
    found: dict[str, Any] = {key: given[key] for key in ("layers", "by") if key in given}
    if "seed" in given:
        found["seed"] = integer(scheme, "seed", given["seed"])
    return found


@dataclass(frozen=True, kw_only=True)
class Thinning(StructuralScheme):
    """A structural scheme that keeps the weights which cost least to keep.

    Parameters
    ----------
    layers : {"conv", "all"}
        Convolutions (1x1 windows too, depthwise and the first one not), or linear layers as well.
    by : {"random", "magnitude"}
    seed : int
        Of random supports, 0 to 2**64 - 1.
    weights : mapping of str to array, optional
        For ``by=magnitude``, by name (``conv1.weight``).
    """

    layers: str = "conv"
    by: str = "random"
    seed: int = 0
    weights: Mapping[str, NDArray[Any]] | None = field(default=None, compare=False, repr=False)

    def check_shared(self, scheme: str) -> None:
        """Raise SchemeError for shared parameters that cannot be used."""
        one_word(scheme, "layers", self.layers, ("conv", "all"))
        one_word(scheme, "by", self.by, ("random", "magnitude"))
        check_range(scheme, "seed", self.seed, 0, 2**64 - 1)
        if self.by == "magnitude" and self.seed:
            raise SchemeError(f"scheme {scheme!r}: by=magnitude draws nothing, so it has no seed")

    def shared_text(self) -> str:
        """The shared parameters that are not at their default, each behind a comma."""
        given = (("layers", self.layers, "conv"), ("by", self.by, "random"), ("seed", self.seed, 0))
        return "".join(f",{key}={value}" for key, value, default in given if value != default)

    @property
    def wants_weights(self) -> bool:
        return self.by == "magnitude" and self.weights is None

    def with_weights(self: Self, weights: Mapping[str, NDArray[Any]], width: Callable[[str], int]) -> Self:
        return replace(self, weights=weights)

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`."""
        return usual_refusal(layer, points=True, linear=self.layers == "all")

    @abstractmethod
    def support(self, shape: WeightShape, costs: Callable[[], Costs]) -> Kernel | str:
        """Return the kernel of a layer from the cost of keeping each weight, or why it stays dense."""

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the kernel of a layer, or why it stays dense."""
        return self.support(shape, lambda: self._costs(node, shape))

    def _costs(self, node: str, shape: WeightShape) -> Costs:
        if self.by == "random":
            return random_costs(shape, self.seed, crc32(node.encode()))
        if self.weights is None:
            raise SchemeError(
                f"{self} looks at weights, and there are none here: estimate a network with --weights FILE"
            )
        name = f"{node}.weight"
        if name not in self.weights:
            raise WeightsError(f"layer {node!r}: there is no array {name!r}{near_miss(name, self.weights)}")
        array = np.asarray(self.weights[name], dtype=np.float64)
        if array.size != np.prod(shape) or array.shape[0] != shape[0]:
            raise WeightsError(f"layer {node!r}: weights of shape {array.shape}, it needs {shape}")
        if not np.isfinite(array).all():
            raise WeightsError(f"layer {node!r}: {name!r} holds NaN or infinity")
        return -np.abs(array.reshape(shape))
