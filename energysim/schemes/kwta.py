"""``kwta``: behind each non-linearity only the k largest activations stay.

Source: k-winners-take-all per location: ACM JETC 15(2), 2019, doi 10.1145/3304104 (abstract: at each
spatial location the feature maps form a vector, of which the k largest values stay); the winners of a
channel or of the whole map are the same with other vectors. Weights stay as they are; the network is to
be trained with it.

Of V vectors of n values V*k stay: the density is at most k/n, and is taken to be that, or what is given
for the tensor if that is less. Finding the winners costs 1 + ceil(log2 k) operations a value (a heap:
assumed). Winners of a location are found in place; those of a channel or a map when all of it is known,
so it is read and written once more. With b-bit activations a tensor lies in memory as

    list    V k (b + ceil(log2 n))      the place of each winner in its vector
    bitmap  V (n + k b)                 a bit a value
    best    the smaller of both (a list if k ceil(log2 n) < n)

or, by default, as the hardware stores any tensor of that density. What reads it skips or gates the
zeros if the hardware does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from energysim.errors import SchemeError
from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Dropout,
    Flatten,
    KWinners,
    LayerGraph,
    MapWinners,
    Node,
    Tensor,
)
from energysim.graph.winners import contest
from energysim.hardware.quantities import show
from energysim.schemes.base import Left, Origin, Rewrite, Scheme, weighted_nodes
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, fraction, fraction_text, integer, read_parameters
from energysim.schemes.thinning import one_word
from energysim.units import ceil_fraction

__all__ = ["KIND", "Kwta", "packed_form", "parse"]

_SCOPES = ("location", "channel", "global")
_STORES = ("hardware", "list", "bitmap", "best")
_MOST = 1 << 40
#: Non-linearities of features; a sigmoid gates them and loses its meaning with zeros.
_FEATURES = ("relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish")


def packed_form(store: str, vectors: int, size: int, winners: int) -> tuple[int, int]:
    """Return how many values a sample stores, and the bits of their places.

    Parameters
    ----------
    store : {"list", "bitmap", "best"}
    vectors, size, winners : int
        V, n, k.
    """
    places = {"list": winners * (size - 1).bit_length(), "bitmap": size}
    side = min(places.values()) if store == "best" else places[store]
    return vectors * winners, vectors * side


@dataclass(frozen=True)
class Kwta(Scheme):
    """The k largest activations of each location, channel or map.

    Parameters
    ----------
    keep : Fraction
        Share of the values that stay, above 0 and at most 1: k = ceil(keep n). Unused if k is given.
    k : int
        Winners of each vector; 0: those that ``keep`` says.
    scope : {"location", "channel", "global"}
    store : {"hardware", "list", "bitmap", "best"}

    Raises
    ------
    SchemeError
        For any other value.
    """

    keep: Fraction = Fraction(1, 4)
    k: int = 0
    scope: str = "location"
    store: str = "hardware"

    changes = ("activations",)

    def __post_init__(self) -> None:
        check_range("kwta", "k", self.k, 0, _MOST)
        if not isinstance(self.keep, Fraction) or not 0 < self.keep <= 1:
            raise SchemeError(
                f"keep of scheme 'kwta' lies above 0 and is at most 1, not {show(_text(self.keep))}"
            )
        one_word("kwta", "scope", self.scope, _SCOPES)
        one_word("kwta", "store", self.store, _STORES)

    def __str__(self) -> str:
        told = f"k={self.k}" if self.k else f"keep={fraction_text(self.keep)}"
        scope = "" if self.scope == "location" else f",scope={self.scope}"
        return f"kwta:{told}{scope}" + ("" if self.store == "hardware" else f",store={self.store}")

    def winners(self, size: int) -> int:
        """Return k of so many values."""
        return self.k or ceil_fraction(self.keep * size)

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`: what is made sparse is the first non-linearity behind a layer."""
        changed: dict[str, Node] = {}  # non-linearity -> node of winners
        layers: set[str] = set()
        reasons: dict[str, str] = {}
        for node in graph.nodes:
            sources = [
                name
                for name in (_sources(graph, node) if _is_feature(node) else ())
                if only is None or name in only
            ]
            if not sources:
                continue
            found = self._node(graph, node)
            if isinstance(found, str):
                reasons.update(dict.fromkeys(sources, found))
            else:
                changed[node.name] = found
                layers.update(sources)
        weighted = [node.name for node in weighted_nodes(graph) if only is None or node.name in only]
        left = tuple(
            Left(name, reasons.get(name, "no non-linearity behind it alone"))
            for name in weighted
            if name not in layers
        )
        if not changed:
            return Rewrite(graph, {n.name: Origin(n.name) for n in graph.nodes}, left)
        return self._rewrite(graph, changed, layers, left)

    def _node(self, graph: LayerGraph, node: Node) -> Node | str:
        """The winners behind a non-linearity, or why there are none."""
        shape = graph.tensors[node.outputs[0]].shape
        if any(isinstance(reader.op, KWinners) for reader in graph.consumers(node.outputs[0])):
            return "has winners already"
        size = contest(self.scope, shape)[1]
        k = self.winners(size)
        if k >= size:
            return f"{k} winners of {size} values are all of them"
        op = KWinners(k) if self.scope == "location" else MapWinners(k, self.scope)
        return Node(node.name, op, (f"{node.name}.all",), node.outputs)

    def _rewrite(
        self, graph: LayerGraph, changed: dict[str, Node], layers: set[str], left: tuple[Left, ...]
    ) -> Rewrite:
        nodes: list[Node] = []
        trace: dict[str, Origin] = {}
        for node in graph.nodes:
            own = Origin(node.name, str(self), "E3")
            if node.name in changed:
                first = f"{node.name}.all"
                nodes += [Node(first, node.op, node.inputs, (first,)), changed[node.name]]
                trace[first] = trace[node.name] = own
            else:
                nodes.append(node)
                trace[node.name] = own if node.name in layers else Origin(node.name)
        made = graph.with_nodes(nodes)
        made = made.with_tensors(self._facts(made, graph, changed))
        assumed = (
            f"{self}: exactly the share of the winners is not zero; 1 + ceil(log2 k) operations a value to "
            "find them; what pools or adds winners is as dense as is given for it",
        )
        order = {node.name: trace[node.name] for node in made.nodes}
        return Rewrite(made, order, left, assumed)

    def _facts(self, made: LayerGraph, old: LayerGraph, changed: dict[str, Node]) -> dict[str, Tensor]:
        """What is known of the tensors: how dense, and how they lie in memory."""
        facts: dict[str, Tensor] = {}
        for node in made.nodes:
            if node.name in changed:
                known, tensor = old.tensors[node.outputs[0]], made.tensors[node.outputs[0]]
                vectors, size = contest(self.scope, tensor.shape)
                k = self.winners(size)
                before = made.tensors[node.inputs[0]]
                facts[before.name] = replace(before, bits=known.bits, density=known.density)
                packed = None if self.store == "hardware" else packed_form(self.store, vectors, size, k)
                density = min(known.density, Fraction(k, size))
                facts[tensor.name] = replace(tensor, density=density, channel_density=(), packed=packed)
            elif isinstance(node.op, Dropout | Flatten) and node.inputs[0] in facts:
                source, tensor = facts[node.inputs[0]], made.tensors[node.outputs[0]]
                facts[tensor.name] = replace(tensor, density=min(tensor.density, source.density))
        return facts


def _is_feature(node: Node) -> bool:
    return isinstance(node.op, Activation) and node.op.function in _FEATURES


def _sources(graph: LayerGraph, node: Node) -> Iterator[str]:
    """The layers that multiply whose outputs a node sees before any other non-linearity."""
    for tensor in node.inputs:
        producer = graph.tensors[tensor].producer
        if producer is None:
            continue
        before = graph.node(producer)
        if before.op.category == "mac":
            yield before.name
        elif isinstance(before.op, Add | BatchNorm | Concat | Dropout):
            yield from _sources(graph, before)


def _text(value: object) -> str:
    return fraction_text(value) if isinstance(value, Fraction) else str(value)


def parse(text: str) -> Kwta:
    """Return the scheme written behind ``kwta:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    accepted = {"k": "8", "keep": "0.25", "scope": "|".join(_SCOPES), "store": "|".join(_STORES)}
    given = read_parameters("kwta", text, accepted)
    if "k" in given and "keep" in given:
        raise SchemeError("scheme 'kwta' takes k, the number of winners, or keep, their share; not both")
    found = Kwta(scope=given.get("scope", Kwta.scope), store=given.get("store", Kwta.store))
    if "k" in given:
        k = integer("kwta", "k", given["k"])
        check_range("kwta", "k", k, 1, _MOST)
        return replace(found, k=k)
    return replace(found, keep=fraction("kwta", "keep", given["keep"])) if "keep" in given else found


KIND = SchemeKind(
    parse,
    "only the k largest activations of a location, channel or map stay (JETC 2019)",
    ("kwta:keep=0.25", "kwta:k=3,store=best", "kwta:keep=0.1,scope=channel", "kwta:keep=0.1,scope=global"),
)
