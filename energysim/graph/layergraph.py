"""The layer graph: named nodes, typed operators, named tensors on the edges.

Shapes are inferred and checked when a graph is made; a graph never changes afterwards.
Bits, density and storage format belong to the tensor: stated once, seen alike by its
producer and its consumers. Weights live beside the graph, never in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from energysim.errors import GraphError, ShapeError, near_miss
from energysim.graph.operators import Operator
from energysim.graph.shapes import Shape, product, text

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["LayerGraph", "Node", "Tensor"]


@dataclass(frozen=True)
class Node:
    """One operator in the graph.

    Attributes
    ----------
    name : str
        Unique in the graph; dots group nodes into blocks (``layer1.0.conv1``).
    op : Operator
    inputs, outputs : tuple of str
        Tensor names. The first output of a node bears the node's name, further ones
        ``name:1``, ``name:2``, ...
    """

    name: str
    op: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Tensor:
    """What is known of one tensor.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Batch first.
    producer : str or None
        The node that writes it; None for an input of the graph.
    bits : int or None
        Width of an element; None means the hardware's native activation width.
    density : Fraction
        Share of nonzero elements, exact.
    channel_density : tuple of Fraction
        The same per channel (axis 1), if known; its mean is ``density``.
    packed : (int, int) or None
        Values and bits of their places, per sample, if it lies in memory in a form of its own that holds
        as many whatever they are (the winners of a layer).
    """

    name: str
    shape: Shape
    producer: str | None
    bits: int | None = None
    density: Fraction = Fraction(1)
    channel_density: tuple[Fraction, ...] = field(default=(), repr=False)
    packed: tuple[int, int] | None = None

    @property
    def elements(self) -> int:
        """Number of elements for the whole batch."""
        return product(self.shape)


#: Larger batches tell nothing new and make the search of their tilings slow.
MOST_IMAGES = 1 << 20
#: Limits of a single tensor, far beyond any network: lengths of an image axis, and elements.
LONGEST_AXIS = 1 << 15
MOST_ELEMENTS = 1 << 40


class LayerGraph:
    """A checked, immutable graph of layers.

    Parameters
    ----------
    name : str
    inputs : mapping of str to shape
        Input tensors, batch first.
    nodes : iterable of Node
        In any order; the walk is topological, ties in the given order.
    outputs : iterable of str, optional
        Tensors the network returns; by default those nobody consumes.

    Raises
    ------
    GraphError
        No node, a duplicate or unknown name, a cycle.
    ShapeError
        Shapes that do not fit; names the node and the nodes that feed it.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Shape],
        nodes: Iterable[Node],
        outputs: Iterable[str] | None = None,
    ) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        given = list(nodes)
        if not given:
            raise GraphError(f"the graph {name!r} is empty: it needs at least one layer")
        for tensor, shape in inputs.items():
            if len(shape) < 2 or any(type(s) is not int or s < 1 for s in shape):
                raise ShapeError(
                    f"input {tensor!r} of {name!r} has shape {shape}: positive lengths, batch first"
                )
        if len({shape[0] for shape in inputs.values()}) > 1:
            sizes = ", ".join(f"{t!r} {text(s)}" for t, s in inputs.items())
            raise ShapeError(f"the inputs of {name!r} differ in their batch (axis 0): {sizes}")
        self._feeds = self._connect(given)
        self.nodes: tuple[Node, ...] = tuple(self._walk(given))
        self._nodes = {node.name: node for node in self.nodes}
        self.tensors = self._infer(inputs)
        #: Widths of parameters [bit] that are known, e.g. from a file.
        self.parameter_bits: dict[str, int] = {}
        self._consumers: dict[str, list[Node]] = {t: [] for t in self.tensors}
        for node in self.nodes:
            for tensor in node.inputs:
                self._consumers[tensor].append(node)
        if outputs is None:
            outputs = [t for t, users in self._consumers.items() if not users and t not in self.inputs]
        self.outputs = tuple(outputs)
        for tensor in self.outputs:
            if tensor not in self.tensors:
                hint = near_miss(tensor, self.tensors)
                raise GraphError(f"the graph {name!r} has no tensor {tensor!r} to return{hint}")

    def _connect(self, nodes: list[Node]) -> dict[str, list[str]]:
        """The nodes that feed each node."""
        names: set[str] = set()
        producer: dict[str, str] = {}
        for node in nodes:
            if node.name in names:
                raise GraphError(f"two nodes of {self.name!r} are called {node.name!r}")
            names.add(node.name)
            for tensor in node.outputs:
                if tensor in producer or tensor in self.inputs:
                    raise GraphError(f"two producers of tensor {tensor!r} in {self.name!r}")
                producer[tensor] = node.name
        feeds: dict[str, list[str]] = {node.name: [] for node in nodes}
        for node in nodes:
            for tensor in node.inputs:
                if tensor in producer:
                    feeds[node.name].append(producer[tensor])
                elif tensor not in self.inputs:
                    hint = near_miss(tensor, [*producer, *self.inputs])
                    raise GraphError(f"node {node.name!r} reads tensor {tensor!r}, which nobody writes{hint}")
        return feeds

    def _walk(self, nodes: list[Node]) -> Iterator[Node]:
        """The nodes in topological order, ties in the given order."""
        order = {node.name: number for number, node in enumerate(nodes)}
        sorter = TopologicalSorter(self._feeds)
        try:
            sorter.prepare()
        except CycleError as error:
            raise GraphError(f"the graph {self.name!r} has a cycle: {' -> '.join(error.args[1])}") from None
        ready: list[int] = []
        while sorter.is_active():
            for name in sorter.get_ready():
                heappush(ready, order[name])
            node = nodes[heappop(ready)]
            yield node
            sorter.done(node.name)

    def _infer(self, inputs: Mapping[str, Shape]) -> dict[str, Tensor]:
        for shape in inputs.values():
            _check_size(shape)
        tensors = {name: Tensor(name, tuple(shape), None) for name, shape in inputs.items()}
        for node in self.nodes:
            shapes = tuple(tensors[t].shape for t in node.inputs)
            try:
                found = node.op.infer(shapes)
                for shape in (*found, *node.op.parameters(shapes).values()):
                    _check_size(shape)
            except GraphError as error:
                fed = ", ".join(
                    f"{tensors[t].producer or t!r} gives {text(tensors[t].shape)}" for t in node.inputs
                )
                raise type(error)(
                    f"node {node.name!r} ({node.op.kind}): {error}; {fed or 'no input'}"
                ) from None
            if len(found) != len(node.outputs):
                raise GraphError(
                    f"node {node.name!r} ({node.op.kind}) makes {len(found)} tensors, "
                    f"{len(node.outputs)} are named"
                )
            for tensor, shape in zip(node.outputs, found, strict=True):
                tensors[tensor] = Tensor(tensor, shape, node.name)
        return tensors

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"LayerGraph({self.name!r}, {len(self.nodes)} nodes, batch {self.batch})"

    @property
    def batch(self) -> int:
        """N, the batch size."""
        return self.tensors[self.inputs[0]].shape[0] if self.inputs else 1

    def digraph(self) -> nx.DiGraph[str]:
        """Return the nodes' names as a networkx graph, for everything that library can do."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(node.name for node in self.nodes)
        graph.add_edges_from((source, name) for name, sources in self._feeds.items() for source in sources)
        return graph

    def node(self, name: str) -> Node:
        """Return a node by name; raise GraphError with the nearest name if there is none."""
        if name not in self._nodes:
            raise GraphError(f"no node {name!r} in {self.name!r}{near_miss(name, self._nodes)}")
        return self._nodes[name]

    def tensor(self, name: str) -> Tensor:
        """Return a tensor by name; raise GraphError with the nearest name if there is none."""
        if name not in self.tensors:
            raise GraphError(f"no tensor {name!r} in {self.name!r}{near_miss(name, self.tensors)}")
        return self.tensors[name]

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Return the shapes a node reads."""
        return tuple(self.tensors[t].shape for t in node.inputs)

    def output_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Return the shapes a node writes."""
        return tuple(self.tensors[t].shape for t in node.outputs)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Return the nodes that read a tensor, in walk order, once per reading."""
        return tuple(self._consumers[self.tensor(tensor).name])

    def parameters(self) -> dict[str, Shape]:
        """Return the shapes of all parameter tensors, named ``node.suffix``."""
        return {
            f"{node.name}.{suffix}": shape
            for node in self.nodes
            for suffix, shape in node.op.parameters(self.input_shapes(node)).items()
        }

    def parameter_count(self) -> int:
        """Return the number of parameters, biases and normalisation included, zeros included."""
        return sum(product(shape) for shape in self.parameters().values())

    def with_batch(self, batch: int) -> LayerGraph:
        """Return the same network for another batch size; raise GraphError outside 1 to 2**20."""
        if type(batch) is not int or not 1 <= batch <= MOST_IMAGES:
            raise GraphError(f"the batch must be a whole number from 1 to {MOST_IMAGES}, not {batch!r}")
        shapes = {t: (batch, *self.tensors[t].shape[1:]) for t in self.inputs}
        return self._copy_facts(LayerGraph(self.name, shapes, self.nodes, self.outputs))

    def with_operators(self, changed: Mapping[str, Operator]) -> LayerGraph:
        """Return the graph with the operators of some nodes replaced; shapes are checked anew."""
        for name in changed:
            self.node(name)
        shapes = {t: self.tensors[t].shape for t in self.inputs}
        nodes = [replace(n, op=changed.get(n.name, n.op)) for n in self.nodes]
        return self._copy_facts(LayerGraph(self.name, shapes, nodes, self.outputs))

    def with_nodes(self, nodes: Iterable[Node]) -> LayerGraph:
        """Return a graph of other nodes between the same inputs and outputs; shapes are checked anew.

        Tensors that keep their name keep what is known of them.
        """
        shapes = {t: self.tensors[t].shape for t in self.inputs}
        return self._copy_facts(LayerGraph(self.name, shapes, nodes, self.outputs))

    def with_tensors(self, facts: Mapping[str, Tensor]) -> LayerGraph:
        """Return the graph with other facts (bits, density) known of some tensors."""
        for name, tensor in facts.items():
            known = self.tensor(name)
            if (tensor.name, tensor.shape, tensor.producer) != (name, known.shape, known.producer):
                raise GraphError(
                    f"facts of tensor {name!r} ({text(known.shape)} from {known.producer!r}) are given for "
                    f"{tensor.name!r} ({text(tensor.shape)} from {tensor.producer!r})"
                )
        shapes = {t: self.tensors[t].shape for t in self.inputs}
        copy = LayerGraph(self.name, shapes, self.nodes, self.outputs)
        copy.tensors = {**self.tensors, **facts}
        copy.parameter_bits = dict(self.parameter_bits)
        return copy

    def with_widths(
        self, tensors: Mapping[str, int] | None = None, parameters: Mapping[str, int] | None = None
    ) -> LayerGraph:
        """Return the graph with known widths of tensors and of parameters [bit].

        A tensor's width runs on through what only moves or selects elements; quantisations state the
        width of their output themselves: see :mod:`energysim.graph.widths`.

        Raises
        ------
        GraphError
            If a name is unknown, or a width is no whole number from 1 to 64.
        """
        from energysim.graph.widths import need_parameter_widths, running_widths

        stated = {t.name: t.bits for t in self.tensors.values() if t.bits is not None}
        need_parameter_widths(self, parameters or {})
        widths = running_widths(self, {**stated, **(tensors or {})})
        copy = self.with_tensors({t: replace(self.tensors[t], bits=bits) for t, bits in widths.items()})
        copy.parameter_bits = {**self.parameter_bits, **(parameters or {})}
        return copy

    def _copy_facts(self, other: LayerGraph) -> LayerGraph:
        """Give a rebuilt graph this one's facts of the tensors that have the same name."""
        for name, tensor in self.tensors.items():
            if name in other.tensors:
                rebuilt = other.tensors[name]
                same = rebuilt.shape[1:2] == tensor.shape[1:2]
                other.tensors[name] = replace(
                    rebuilt,
                    bits=tensor.bits,
                    density=tensor.density,
                    channel_density=tensor.channel_density if same else (),
                    packed=tensor.packed if rebuilt.shape[1:] == tensor.shape[1:] else None,
                )
        other.parameter_bits = {
            name: bits
            for name, bits in self.parameter_bits.items()
            if name.rpartition(".")[0] in other._nodes
        }
        return other


def _check_size(shape: Shape) -> None:
    """Refuse a tensor that is larger than any network's."""
    if product(shape) > MOST_ELEMENTS or (len(shape) == 4 and max(shape[2:]) > LONGEST_AXIS):
        raise ShapeError(
            f"a tensor of {text(shape)} is too large: image axes have at most {LONGEST_AXIS}, "
            f"tensors at most {MOST_ELEMENTS} elements"
        )
