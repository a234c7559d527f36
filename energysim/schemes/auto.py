"""``auto``: the sparsity that is really in given weights, each layer in its cheapest lossless storage.

Nothing is removed: a layer gets a kernel that holds all of its nonzeros, and a storage format.

* If they lie in a periodic table by the rule of pSConv (:mod:`energysim.inspection.periodic`), the table
  is one candidate: weights inside it that happen to be 0 are stored and multiplied.
* The nonzeros alone, as a mask, are the other: N:M, blocks, channels and unstructured zeros too.

Each candidate is measured in every lossless storage format at the layer's width, and the smallest is
taken; of equal ones the periodic table, then the format that comes first by name. The runner-up is named
in the report. A layer without zeros stays dense, and so does one with so few that no format is smaller than
the dense one. First convolutions, 1x1 windows, depthwise and linear
layers are looked at like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from energysim.errors import SchemeError, WeightsError, near_miss
from energysim.graph import Conv2d, LayerGraph, Linear, Node, Operator
from energysim.inspection import Stored, find_period, rank_formats, support_of
from energysim.inspection.words import in_periods
from energysim.kernels import PeriodicKernel, StoredKernel
from energysim.schemes.base import Left, Origin, Rewrite, Scheme, weighted_nodes
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.names import scheme_of
from energysim.schemes.parameters import read_parameters

__all__ = ["KIND", "Auto", "parse"]


@dataclass(frozen=True)
class Auto(Scheme):
    """What is found in the weights.

    Parameters
    ----------
    weights : mapping of str to array, optional
        Arrays by name (``conv1.weight``); without them nothing can be found.
    width : function, optional
        Layer -> bits of a stored weight; needed with weights.
    """

    weights: Mapping[str, NDArray[Any]] | None = field(default=None, compare=False, repr=False)
    width: Callable[[str], int] | None = field(default=None, compare=False, repr=False)

    changes: ClassVar[tuple[str, ...]] = ("support",)

    def __str__(self) -> str:
        return "auto"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`.

        Raises
        ------
        SchemeError
            Without weights, and for a layer whose weights are all 0.
        WeightsError
            Weights that are missing, of another shape, or not finite.
        """
        if self.weights is None or self.width is None:
            raise SchemeError(
                "auto looks at weights, and there are none here: estimate a network with --weights FILE, or "
                "an ONNX file, which has its own"
            )
        changed: dict[str, Operator] = {}
        left: list[Left] = []
        for node in weighted_nodes(graph):
            if only is not None and node.name not in only:
                continue
            found = _changed(graph, node, self.weights, self.width)
            if isinstance(found, str):
                left.append(Left(node.name, found))
            else:
                changed[node.name] = found
        trace = {n.name: Origin(n.name, "auto" if n.name in changed else "dense") for n in graph.nodes}
        return Rewrite(graph.with_operators(changed), trace, tuple(left))


def _changed(
    graph: LayerGraph, node: Node, weights: Mapping[str, NDArray[Any]], width: Callable[[str], int]
) -> Operator | str:
    """The operator with the kernel that was found, or why the layer stays as it is."""
    op = node.op
    if not isinstance(op, Conv2d | Linear):
        return "transposed convolution"
    shape = op.layout(graph.input_shapes(node)).shape
    if not op.layout(graph.input_shapes(node)).is_dense:
        return "has a sparse kernel already"
    name = f"{node.name}.weight"
    if name not in weights:
        raise WeightsError(f"layer {node.name!r}: there is no array {name!r}{near_miss(name, weights)}")
    array = weights[name]
    support = support_of(node.name, array)
    if support.shape != shape:
        raise WeightsError(f"layer {node.name!r}: weights of shape {array.shape}, it needs {shape}")
    if not support.nonzeros:
        raise SchemeError(
            f"layer {node.name!r}: all of its weights are 0, so nothing of it would be left to estimate "
            f"(rules leave it as it is: {node.name}=dense; *=auto)"
        )
    if support.nonzeros == support.mask.size:
        return "no weight is 0"
    period = find_period(support)
    kernel = None if period is None or period.outside else period.kernel(shape)
    best, *others = rank_formats(support, kernel, width(node.name))
    if best.format == "dense":
        zeros = support.mask.size - support.nonzeros
        return f"too few zeros ({zeros:,} of {support.mask.size:,}) for anything but dense storage"
    found = "nonzeros"
    if period is not None and isinstance(best.kernel, PeriodicKernel):
        found = in_periods(period, scheme_of(best.kernel, period.repeated)).partition(" (")[0]
    return replace(op, kernel=StoredKernel(best.kernel, best.format, _reason(found, best, others)))


def _reason(found: str, best: Stored, others: list[Stored]) -> str:
    next_one = ""
    if others:
        table = " of the whole table" if isinstance(others[0].kernel, PeriodicKernel) else " of the nonzeros"
        of = table if others[0].kernel is not best.kernel else ""
        next_one = f", next {others[0].format}{of} {others[0].bits:,} bit"
    return f"{found} as {best.format} {best.bits:,} bit{next_one}"


def parse(text: str) -> Auto:
    """Return the scheme, without weights yet; it takes no parameters."""
    read_parameters("auto", text, {})
    return Auto()


KIND = SchemeKind(parse, "What is found in the weights, each layer in its cheapest lossless storage")
