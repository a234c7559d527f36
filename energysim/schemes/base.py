"""What ``--sparsity`` names: a scheme rewrites a graph and says what it did and did not do.

Exactness classes: E1 equals a masked dense layer; E2 equals a layer with reconstructed weights;
E3 has only its own reference; E4 is a matter of training or scheduling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from energysim.errors import SchemeError
from energysim.extra import Extra, Table
from energysim.graph import LayerGraph, Linear, Node
from energysim.kernels import Kernel, WeightShape
from energysim.schemes.block import Block, Recipe
from energysim.schemes.layers import Layer, layers, usual_refusal, weighted_nodes

__all__ = [
    "ASPECTS",
    "NO_RULE",
    "Left",
    "Origin",
    "Rewrite",
    "RewritingScheme",
    "Scheme",
    "StructuralScheme",
    "need_all_changed",
    "weighted_nodes",
]

#: What a scheme can change, in the order in which schemes can be put together with ``+``.
ASPECTS = {
    "graph": "replaces a layer by others",
    "support": "decides which weights exist",
    "values": "decides how weights are stored",
    "activations": "decides which activations are kept",
}
#: Why a layer was left that nobody asked to change.
NO_RULE = "no rule"


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
    internal : frozenset of str
        Tensors between the parts of a rewritten layer.
    extras : dict of str to Extra
        What nodes of the new graph do and store besides what their operators say.
    tables : tuple of Table
        Tables stored once for the network.
    steps : tuple of tuple of Recipe
        How weights follow from the original's: the recipes of each scheme that was applied, in order;
        a layer without one keeps its own.
    kept : dict of str to tuple of int
        Tensors that have lost channels, and which of the original's (elements of axis 1) they still have.
    """

    graph: LayerGraph
    trace: dict[str, Origin]
    left: tuple[Left, ...] = ()
    assumed: tuple[str, ...] = ()
    internal: frozenset[str] = frozenset()
    extras: dict[str, Extra] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    steps: tuple[tuple[Recipe, ...], ...] = ()
    kept: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def changed(self) -> tuple[str, ...]:
        """The layers of the original graph that were changed, in network order."""
        return tuple(dict.fromkeys(o.node for o in self.trace.values() if o.scheme != "dense"))


def need_all_changed(scheme: Scheme, rewrite: Rewrite) -> None:
    """Raise SchemeError if a layer was left that the scheme, or a rule for it, was asked to change."""
    left = [entry for entry in rewrite.left if entry.reason != NO_RULE]
    if left:
        more = f" (and {len(left) - 1} more layers)" if len(left) > 1 else ""
        raise SchemeError(
            f"layer {left[0].node!r}: {scheme} leaves it as it is: {left[0].reason}{more}; strict wants "
            "every layer changed, and rules say which are meant: layer1.*=shift"
        )


class Scheme(ABC):
    """A way to make a network sparse; a frozen value that ``str`` writes and ``parse`` reads back."""

    #: Which of :data:`ASPECTS` it changes.
    changes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __str__(self) -> str:
        """Return the text that is parsed back into an equal scheme."""

    @property
    def wants_weights(self) -> bool:
        """Whether it looks at weights, and has none yet."""
        return False

    def with_weights(self, weights: Mapping[str, Any], width: Callable[[str], int]) -> Scheme:
        """Return the scheme with the weights it looks at.

        Parameters
        ----------
        weights : mapping of str to array
            By name (``conv1.weight``).
        width : function
            Layer -> bits of a stored weight.
        """
        return self

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


class RewritingScheme(Scheme):
    """A scheme that replaces layers, each by a block of its own.

    A subclass says what it makes of a layer in :meth:`block`, and which layers it leaves in
    :meth:`refuses`. A scheme that changes several layers at once overrides :meth:`apply`.
    """

    changes: ClassVar[tuple[str, ...]] = ("graph",)

    @abstractmethod
    def block(self, layer: Layer) -> Block | str:
        """Return what a layer becomes, or the reason to leave it as it is."""

    def refuses(self, layer: Layer) -> str | None:
        """Return why a layer is left without being looked at, or None."""
        return usual_refusal(layer)

    def assumptions(self) -> tuple[str, ...]:
        """Return what this scheme assumes without a source."""
        return ()

    def tables(self) -> tuple[Table, ...]:
        """Return the tables that its layers share, stored once if any layer was changed."""
        return ()

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`."""
        blocks: dict[str, Block] = {}
        left: list[Left] = []
        for layer in layers(graph):
            if only is not None and layer.name not in only:
                continue
            found = self.refuses(layer) or self._block(layer)
            if isinstance(found, str):
                left.append(Left(layer.name, found))
            else:
                blocks[layer.name] = found
        return self._rewrite(graph, blocks, tuple(left))

    def _block(self, layer: Layer) -> Block | str:
        try:
            return self.block(layer)
        except SchemeError as error:
            raise SchemeError(f"layer {layer.name!r}: {error}") from None

    def _rewrite(self, graph: LayerGraph, blocks: dict[str, Block], left: tuple[Left, ...]) -> Rewrite:
        if not blocks:
            return Rewrite(graph, {n.name: Origin(n.name) for n in graph.nodes}, left)
        recipes = {name: block.recipe for name, block in blocks.items()}
        nodes: list[Node] = []
        trace: dict[str, Origin] = {}
        for node in graph.nodes:
            block = blocks.get(node.name)
            nodes += [node] if block is None else block.nodes
            for each in [node] if block is None else block.nodes:
                trace[each.name] = (
                    Origin(node.name) if block is None else Origin(node.name, str(self), block.exactness)
                )
        found = graph.with_nodes(nodes)
        return Rewrite(
            found,
            {n.name: trace[n.name] for n in found.nodes},
            left,
            self.assumptions(),
            frozenset(tensor for block in blocks.values() for tensor in block.internal),
            {name: extra for block in blocks.values() for name, extra in block.extras.items()},
            self.tables(),
            (tuple(recipe for recipe in recipes.values() if recipe is not None),),
        )


class StructuralScheme(RewritingScheme):
    """A scheme that gives dense convolutions another kernel and leaves the graph as it is.

    The filters of a grouped convolution are numbered over all groups: they are the indices on weight
    axis 0.
    """

    changes: ClassVar[tuple[str, ...]] = ("support",)

    @abstractmethod
    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the kernel for a weight tensor (M, C, R, S), or the reason to leave it dense."""

    def block(self, layer: Layer) -> Block | str:
        """Return the layer with its kernel, or why it stays as it is."""
        kernel = self.kernel(layer.name, layer.weight_shape)
        if isinstance(kernel, str):
            return kernel
        if kernel.is_dense:
            return "every position would be kept"
        if kernel.nonzeros == 0:
            return "no weight would be left"
        op = layer.op if isinstance(layer.op, Linear) else layer.conv
        return Block(layer).end(replace(op, kernel=kernel), layer.input)
