"""``penni``: all 2D kernels of a layer are sums of d shared ones, with sparse coefficients.

Source: Li et al., "PENNI: Pruned Kernel Sharing for Efficient CNN Inference", ICML 2020 (arXiv 2005.07133),
and the authors' code: ``W[o, i] = sum over j of a[o, i, j] * B[j]`` with d basis kernels B for the layer.
First each input channel is convolved with each basis kernel (with the layer's stride), then a sparse 1x1
convolution sums the C*d maps: ``C*d*R*S*P*Q + nnz(a)*P*Q`` multiply-adds, ``d*R*S + nnz(a)`` weights, and
the places of the coefficients: a bitmap of M*C*d bits, or with ``storage=index`` compressed rows. The maps
between are d times the input.

The map of channel c and basis kernel j is channel c*d + j. (The two-stage form in the authors' code orders
them otherwise and is not followed.) 1x1 windows share nothing and stay as they are.

Real weights are decomposed after training by a singular value decomposition of the M*C kernels, not
centred; the basis is orthonormal, so a coefficient is the same whether or not others are dropped, and with
d = R*S nothing is lost. ``energysim validate`` and ``energysim show scheme ... --model`` print the error.

Assumed: how many coefficients are left (training decides) is given by ``density``, which of them are drawn
at random, or the largest are with ``by=magnitude``; floor(density * n) of n, at least one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar
from zlib import crc32

import numpy as np

from energysim.errors import SchemeError, WeightsError, near_miss
from energysim.extra import Extra, Generated
from energysim.graph import Conv2d, LayerGraph
from energysim.kernels import Kernel, StoredKernel, WeightShape, cheapest_support, random_costs
from energysim.kernels.thinned import Costs
from energysim.schemes.base import Rewrite, RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer, layers
from energysim.schemes.parameters import check_range, fraction, fraction_text, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["KIND", "Penni", "decomposed", "parse", "shared_basis"]

_LARGEST = 1 << 10
_STORAGE = {"bitmap": "bitmap", "index": "csr"}
_ACCEPTED = {
    "d": f"1..{_LARGEST}",
    "density": "0..1",
    "storage": "|".join(_STORAGE),
    "by": "random|magnitude",
    "seed": "0..18446744073709551615",
}


def decomposed(weights: Array, count: int) -> tuple[Array, Array]:
    """Return basis kernels (d, R, S) and coefficients (M, C, d) nearest to weights (M, C, R, S), float64.

    Parameters
    ----------
    weights : array of shape (M, C, R, S)
    count : int
        d, at most R*S.
    """
    m, c, r, s = weights.shape
    kernels = np.asarray(weights, np.float64).reshape(m * c, r * s)
    # The right singular vectors are those of the R*S x R*S matrix of products: no M*C x M*C one is needed.
    _, _, right = np.linalg.svd(kernels.T @ kernels)
    basis = right[:count]
    return basis.reshape(count, r, s), (kernels @ basis.T).reshape(m, c, count)


def shared_basis(layer: Layer, count: int, support: Kernel | None) -> Block:
    """Return a layer as ``count`` basis kernels and coefficients.

    Parameters
    ----------
    layer : Layer
        A convolution.
    count : int
        d, 1 to R*S.
    support : Kernel or None
        Which coefficients exist, shape (M, C*d, 1, 1); None: all.
    """
    op, (m, c, r, s) = layer.conv, layer.weight_shape
    groups, channels = op.groups, layer.channels
    group = np.arange(m) // (m // groups)

    def derive(dense: Arrays) -> dict[str, Array]:
        basis, coefficients = decomposed(dense["weight"], count)
        coefficients = coefficients.reshape(m, c * count, 1, 1)
        if support is not None:
            coefficients = np.where(support.mask(), coefficients, 0)
        made = {"basis.weight": np.tile(basis, (channels, 1, 1))[:, None], "weight": coefficients}
        return {**made, "bias": dense["bias"]} if "bias" in dense else made

    def equivalent(own: Arrays) -> dict[str, Array]:
        basis = own["basis.weight"].reshape(groups, c, count, r, s)
        coefficients = own["weight"].reshape(m, c, count)
        made = {"weight": np.einsum("ocj,ocjrs->ocrs", coefficients, basis[group])}
        return {**made, "bias": own["bias"]} if "bias" in own else made

    def written(own: Arrays) -> tuple[Written, ...]:
        return (Written("basis", own["basis.weight"][:count], None),)

    def tie(own: Arrays) -> dict[str, Array]:
        return {"basis.weight": np.tile(own["basis.weight"][:count], (channels, 1, 1, 1))}

    block = Block(layer, "E2", derive=derive, equivalent=equivalent, written=written, tie=tie)
    windows = replace(op, out_channels=channels * count, groups=channels, bias=False)
    shared = Extra(generated=Generated(count * r * s, None))
    maps = block.part("basis", windows, layer.input, extra=shared)
    return block.end(Conv2d(m, (1, 1), groups=groups, bias=op.bias, kernel=support), maps)


@dataclass(frozen=True)
class Penni(RewritingScheme):
    """A shared basis, and sparse coefficients.

    Parameters
    ----------
    basis : int
        d, 1 to 1024; at most the taps of a window.
    density : Fraction
        Share of the coefficients that is kept, above 0 and at most 1.
    storage : {"bitmap", "index"}
        How the places of sparse coefficients are stored.
    by : {"random", "magnitude"}
    seed : int
        Of random supports, 0 to 2**64 - 1.
    weights : mapping of str to array, optional
        For ``by=magnitude``, by name (``conv1.weight``).

    Raises
    ------
    SchemeError
        For any other value.
    """

    basis: int = 5
    density: Fraction = Fraction(1)
    storage: str = "bitmap"
    by: str = "random"
    seed: int = 0
    weights: Mapping[str, Array] | None = field(default=None, compare=False, repr=False)

    changes: ClassVar[tuple[str, ...]] = ("graph", "support")

    def __post_init__(self) -> None:
        check_range("penni", "d", self.basis, 1, _LARGEST)
        if not 0 < self.density <= 1:
            raise SchemeError(
                f"density of scheme 'penni' is above 0 and at most 1, not {fraction_text(self.density)}"
            )
        one_word("penni", "storage", self.storage, tuple(_STORAGE))
        one_word("penni", "by", self.by, ("random", "magnitude"))
        check_range("penni", "seed", self.seed, 0, 2**64 - 1)
        if self.by == "magnitude" and self.seed:
            raise SchemeError("scheme 'penni': by=magnitude draws nothing, so it has no seed")

    def __str__(self) -> str:
        density = "" if self.density == 1 else f",density={fraction_text(self.density)}"
        given = (("storage", self.storage, "bitmap"), ("by", self.by, "random"), ("seed", self.seed, 0))
        return f"penni:d={self.basis}{density}" + "".join(f",{k}={v}" for k, v, usual in given if v != usual)

    @property
    def wants_weights(self) -> bool:
        """See :meth:`Scheme.wants_weights`."""
        return self.by == "magnitude" and self.weights is None

    def with_weights(self, weights: Mapping[str, Any], width: object) -> Penni:
        """See :meth:`Scheme.with_weights`."""
        return replace(self, weights=weights)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; a basis larger than every window is an error."""
        found = super().apply(graph, only)
        if not found.changed:
            left = {entry.node: entry.reason for entry in found.left}
            for layer in layers(graph):
                if left.get(layer.name, "") == self._too_large(layer.weight_shape):
                    raise SchemeError(f"layer {layer.name!r}: {left[layer.name]}: d is at most its taps")
        return found

    def _too_large(self, shape: WeightShape) -> str:
        return (
            f"{self.basis} basis kernels for the {shape[2] * shape[3]} taps of {shape[2]}x{shape[3]} windows"
        )

    def block(self, layer: Layer) -> Block | str:
        """Return basis and coefficients, or why the layer stays as it is."""
        m, c, r, s = layer.weight_shape
        if self.basis > r * s:
            return self._too_large(layer.weight_shape)
        size = m * c * self.basis
        kept = max(1, int(self.density * size))
        if kept == size and self.basis == r * s:
            return f"a whole basis of {r * s} kernels and all coefficients: the layer as it is"
        support: Kernel | None = None
        if kept < size:
            costs = self._costs(layer, (m, c * self.basis, 1, 1))
            support = StoredKernel(cheapest_support(costs, (kept,), (0,)), _STORAGE[self.storage])
        return shared_basis(layer, self.basis, support)

    def _costs(self, layer: Layer, shape: WeightShape) -> Costs:
        if self.by == "random":
            return random_costs(shape, self.seed, crc32(layer.name.encode()))
        if self.weights is None:
            raise SchemeError(
                f"{self} looks at weights, and there are none here: estimate a network with --weights FILE"
            )
        name = f"{layer.name}.weight"
        if name not in self.weights:
            raise WeightsError(
                f"layer {layer.name!r}: there is no array {name!r}{near_miss(name, self.weights)}"
            )
        array = np.asarray(self.weights[name], np.float64)
        if array.shape != layer.weight_shape or not np.isfinite(array).all():
            raise WeightsError(
                f"layer {layer.name!r}: {name!r} is no array of finite numbers of shape {layer.weight_shape}"
            )
        return -np.abs(decomposed(array, self.basis)[1].reshape(shape))

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        if self.density == 1:
            return ()
        which = "drawn at random" if self.by == "random" else "the largest"
        return (f"{self}: the share of coefficients that is left; they are {which}",)


def parse(text: str) -> Penni:
    """Return the scheme written behind ``penni:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("penni", text, _ACCEPTED)
    return Penni(
        integer("penni", "d", given["d"]) if "d" in given else Penni.basis,
        fraction("penni", "density", given["density"]) if "density" in given else Penni.density,
        given.get("storage", Penni.storage),
        given.get("by", Penni.by),
        integer("penni", "seed", given["seed"]) if "seed" in given else Penni.seed,
    )


KIND = SchemeKind(
    parse,
    "shared basis kernels and sparse coefficients (Li et al. 2020)",
    ("penni:d=5,density=0.1", "penni:d=3", "penni:d=2,density=0.5,storage=index"),
)
