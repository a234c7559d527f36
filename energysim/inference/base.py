"""The contract of a plan: a network prepared once, run many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from energysim.errors import DataError, UsageError, near_miss
from energysim.graph import LayerGraph, Node
from energysim.graph.shapes import text
from energysim.inference.blas import one_blas_thread
from energysim.inference.counter import MacCounter
from energysim.inference.memory import dead_after
from energysim.inference.reference.types import Array

__all__ = ["Images", "Plan", "checked_images"]

#: Images (N, C, H, W), or one array per input of the graph by name.
Images = Array | Mapping[str, Array]


class Plan(ABC):
    """A network with weights, ready to run.

    Parameters
    ----------
    graph : LayerGraph
        A run may have any batch; ``graph.batch`` is the one that ``memory_bytes`` is stated for.
    threads : int
        Images of a batch are shared out to so many threads; each uses one BLAS thread.

    Attributes
    ----------
    graph : LayerGraph
    threads : int
    counter : MacCounter
        Multiply-adds executed since the plan was made, node by node.
    """

    #: How numbers are represented.
    mode: str = "float32"
    #: Which executor it is.
    path: str = "reference"

    def __init__(self, graph: LayerGraph, threads: int = 1) -> None:
        if type(threads) is not int or threads < 1:
            raise UsageError(f"threads must be a whole number of at least 1, not {threads!r}")
        self.graph = graph
        self.threads = threads
        self.counter = MacCounter()
        self._dead = dead_after(graph)

    @property
    def shares(self) -> int:
        """In how many parts a batch of ``graph.batch`` is run at the same time."""
        return min(self.threads, self.graph.batch)

    @property
    @abstractmethod
    def memory_bytes(self) -> int:
        """The most bytes that weights and arrays of a run with ``graph.batch`` images take up."""

    @abstractmethod
    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the outputs of one node; inputs are not changed, outputs may be views of them."""

    def encode(self, tensor: str, values: Array) -> Array:
        """Return an input of the network in the plan's own representation."""
        return values

    def decode(self, tensor: str, values: Array) -> Array:
        """Return a tensor of the plan as float32 numbers."""
        return values

    def run(self, images: Images) -> Array | dict[str, Array]:
        """Return what the network makes of images.

        Parameters
        ----------
        images : array of shape (N, C, H, W), or mapping of input name to array
            Any real type; turned into float32.

        Returns
        -------
        float32 array, or dict of tensor name to array
            A dict if the graph has several outputs.

        Raises
        ------
        DataError
            If the images do not fit the network.
        """
        given = checked_images(self.graph, images)
        batch = len(next(iter(given.values())))
        parts = min(self.threads, batch)
        with one_blas_thread():  # here, not in the threads: the limit is one for all of them
            found = self._outputs(given) if parts == 1 else self._shared_out(given, batch, parts)
        return found if len(found) > 1 else next(iter(found.values()))

    def trace(self, images: Images) -> Iterator[tuple[str, tuple[Array, ...]]]:
        """Run node by node; yield each node's name and outputs, in the plan's own representation.

        Arrays are valid until the next step: a plan may reuse their memory. Nothing is computed ahead.
        """
        for node, _, outputs in self.walk(images):
            yield node.name, outputs

    def walk(self, images: Images) -> Iterator[tuple[Node, tuple[Array, ...], tuple[Array, ...]]]:
        """Run node by node like :meth:`trace`; yield (node, inputs, outputs)."""
        given = checked_images(self.graph, images)
        live = {tensor: self.encode(tensor, array) for tensor, array in given.items()}
        for node in self.graph.nodes:
            with one_blas_thread():
                self._step(node, live)
            yield node, tuple(live[t] for t in node.inputs), tuple(live[t] for t in node.outputs)
            for tensor in self._dead[node.name]:
                del live[tensor]

    def run_node(self, node: str, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the outputs of one node for given inputs, both in the plan's own representation.

        Raises
        ------
        GraphError
            If there is no such node.
        DataError
            If the inputs do not fit it.
        """
        found = self.graph.node(node)
        shapes = self.graph.input_shapes(found)
        if len(inputs) != len(shapes) or any(
            a.shape[1:] != s[1:] for a, s in zip(inputs, shapes, strict=True)
        ):
            given = ", ".join(text(a.shape) for a in inputs)
            raise DataError(f"node {node!r} reads {', '.join(map(text, shapes))} (any batch), not {given}")
        with one_blas_thread():
            return self.execute(found, tuple(inputs))

    def _step(self, node: Node, live: dict[str, Array]) -> None:
        """Run one node on ``live``, which holds every tensor that is still needed."""
        outputs = self.execute(node, tuple(live[tensor] for tensor in node.inputs))
        live.update(zip(node.outputs, outputs, strict=True))

    def _shared_out(self, given: Mapping[str, Array], batch: int, parts: int) -> dict[str, Array]:
        """Run equal shares of the batch in threads of their own."""
        edges = [batch * i // parts for i in range(parts + 1)]
        shares = [{t: a[i:j] for t, a in given.items()} for i, j in pairwise(edges)]
        with ThreadPoolExecutor(parts) as pool:
            done = list(pool.map(self._outputs, shares))
        return {t: np.concatenate([d[t] for d in done]) for t in self.graph.outputs}

    def _outputs(self, given: Mapping[str, Array]) -> dict[str, Array]:
        live = {tensor: self.encode(tensor, array) for tensor, array in given.items()}
        for node in self.graph.nodes:
            self._step(node, live)
            for tensor in self._dead[node.name]:
                del live[tensor]
        found = {tensor: self.decode(tensor, live[tensor]) for tensor in self.graph.outputs}
        # Nothing returned shares memory with what was given.
        return {
            t: a.copy() if any(np.may_share_memory(a, g) for g in given.values()) else a
            for t, a in found.items()
        }


def checked_images(graph: LayerGraph, images: Images) -> dict[str, Array]:
    """Return float32 inputs of a graph by name.

    Raises
    ------
    DataError
        If one is missing or unknown, has another shape than the network's (any batch will do) or a
        type that is no real number, or holds NaN or infinity.
    """
    if isinstance(images, Mapping):
        given = dict(images)
    elif len(graph.inputs) == 1:
        given = {graph.inputs[0]: images}
    else:
        raise DataError(f"{graph.name!r} takes several inputs by name: {', '.join(graph.inputs)}")
    for name in given:
        if name not in graph.inputs:
            raise DataError(f"{graph.name!r} has no input {name!r}{near_miss(name, graph.inputs)}")
    found: dict[str, Array] = {}
    for name in graph.inputs:
        if name not in given:
            raise DataError(f"input {name!r} of {graph.name!r} is missing")
        array, shape = np.asarray(given[name]), graph.tensor(name).shape
        if array.dtype.kind not in "fiub":
            raise DataError(f"input {name!r} of {graph.name!r} holds {array.dtype}, not real numbers")
        if array.ndim != len(shape) or array.shape[1:] != shape[1:] or not len(array):
            what = text(array.shape) or "one number"
            raise DataError(f"input {name!r} of {graph.name!r} takes Nx{text(shape[1:])}, not {what}")
        with np.errstate(over="ignore"):
            found[name] = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(found[name]).all():
            raise DataError(f"input {name!r} of {graph.name!r} holds NaN or infinity")
    if len({len(array) for array in found.values()}) > 1:
        sizes = ", ".join(f"{name!r} {len(array)}" for name, array in found.items())
        raise DataError(f"the inputs of {graph.name!r} differ in their batch: {sizes}")
    return found
