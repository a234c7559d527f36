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
    """A layer with weights that a scheme left dense, and why."""

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
        Layers left dense, in network order.
    assumed : tuple of str
        Statements of the scheme that rest on no source.
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
    def __str__(self) -> str: ...

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
    """A scheme that gives convolutions another kernel and leaves the graph as it is."""

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
            found = self._kernel_of(graph, node, first)
            if isinstance(found, str):
                left.append(Left(node.name, found))
            else:
                changed[node.name] = found
        trace = {
            n.name: Origin(n.name, str(self)) if n.name in changed else Origin(n.name) for n in graph.nodes
        }
        return Rewrite(graph.with_operators(changed), trace, tuple(left), self.assumptions())

    def assumptions(self) -> tuple[str, ...]:
        """Return what this scheme assumes without a source."""
        return ()

    def _kernel_of(self, graph: LayerGraph, node: Node, first: str | None) -> Operator | str:
        op = node.op
        if isinstance(op, Linear):
            return "linear layer"
        if not isinstance(op, Conv2d):
            return "transposed convolution"
        if node.name == first:
            return "first convolution"
        shape = op.layout(graph.input_shapes(node)).shape
        if shape[2:] == (1, 1):
            return "1x1 window"
        if shape[1] == 1 and op.groups > 1:
            return "depthwise"
        kernel = self.kernel(node.name, shape)
        if isinstance(kernel, str):
            return kernel
        return replace(op, kernel=kernel)
