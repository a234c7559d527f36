"""What ``--sparsity`` names: a scheme rewrites a graph and says what it did and did not do.

Exactness classes: E1 equals a masked dense layer; E2 equals a layer with reconstructed weights;
E3 has only its own reference; E4 is a matter of training or scheduling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace

from energysim.graph import Conv2d, ConvTranspose2d, LayerGraph, Linear, Node, Operator
from energysim.kernels import Kernel, WeightShape

__all__ = ["Left", "Origin", "Rewrite", "Scheme", "StructuralScheme", "weighted_nodes"]


@dataclass(frozen=True)
class Origin:
    """Where a node of the rewritten graph comes from.

    Attributes
    ----------
    node : str
        The node of the original graph.
    scheme : str
        The scheme that made it, ``"dense"`` if it was left as it was.
    exactness : {"E1", "E2", "E3", "E4"}
    """

    node: str
    scheme: str = "dense"
    exactness: str = "E1"


@dataclass(frozen=True)
class Left:
    """A layer with weights that a scheme left as it was, and why."""

    node: str
    reason: str


@dataclass(frozen=True)
class Rewrite:
    """A rewritten graph.

    Attributes
    ----------
    graph : LayerGraph
    trace : dict of str to Origin
        One entry per node of the new graph.
    left : tuple of Left
        Layers left as they were (nearly always dense), in network order.
    assumed : tuple of str
        Statements that rest on no source; none if no layer was changed.
    """

    graph: LayerGraph
    trace: dict[str, Origin]
    left: tuple[Left, ...] = ()
    assumed: tuple[str, ...] = ()


def weighted_nodes(graph: LayerGraph) -> tuple[Node, ...]:
    """Return the nodes that multiply with weights, in walk order."""
    return tuple(n for n in graph.nodes if isinstance(n.op, Conv2d | ConvTranspose2d | Linear))


class Scheme(ABC):
    """A way to make a network sparse; a frozen value that ``str`` writes and ``parse`` reads back."""

    @abstractmethod
    def __str__(self) -> str:
        """Return the text that is parsed back into an equal scheme."""

    @abstractmethod
    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """Return the rewritten graph.

        Parameters
        ----------
        graph : LayerGraph
        only : collection of str, optional
            Names of the weighted nodes it may change; all of them if not given.

        Raises
        ------
        SchemeError
            If the scheme cannot be used on this graph.
        """


class StructuralScheme(Scheme):
    """A scheme that gives dense convolutions another kernel and leaves the graph as it is.

    The policy is the same for all of them: the first convolution, 1x1 windows, depthwise and
    transposed convolutions and linear layers stay dense; a convolution that has a sparse kernel
    already keeps it, so that applying a scheme twice is applying it once. The filters of a grouped
    convolution are numbered over all groups: they are the indices on weight axis 0.
    """

    @abstractmethod
    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the kernel for a weight tensor (M, C, R, S), or the reason to leave it dense."""

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`."""
        changed: dict[str, Operator] = {}
        left: list[Left] = []
        first = next((n.name for n in graph.nodes if isinstance(n.op, Conv2d)), None)
        for node in weighted_nodes(graph):
            if only is not None and node.name not in only:
                continue
            found = self._changed(graph, node, first)
            if isinstance(found, str):
                left.append(Left(node.name, found))
            else:
                changed[node.name] = found
        trace = {
            n.name: Origin(n.name, str(self)) if n.name in changed else Origin(n.name) for n in graph.nodes
        }
        assumed = self.assumptions() if changed else ()
        return Rewrite(graph.with_operators(changed), trace, tuple(left), assumed)

    def assumptions(self) -> tuple[str, ...]:
        """Return what this scheme assumes without a source."""
        return ()

    def _changed(self, graph: LayerGraph, node: Node, first: str | None) -> Operator | str:
        """Return the operator with its kernel, or why the node stays as it is."""
        op = node.op
        if isinstance(op, Linear):
            return "linear layer"
        if not isinstance(op, Conv2d):
            return "transposed convolution"
        if node.name == first:
            return "first convolution"
        present = op.layout(graph.input_shapes(node))
        shape = present.shape
        if shape[2:] == (1, 1):
            return "1x1 window"
        if shape[1] == 1 and op.groups > 1:
            return "depthwise"
        if not present.is_dense:
            return "has a sparse kernel already"
        kernel = self.kernel(node.name, shape)
        if isinstance(kernel, str):
            return kernel
        if kernel.is_dense:
            return "every position would be kept"
        if kernel.nonzeros == 0:
            return "no weight would be left"
        return replace(op, kernel=kernel)
