"""The fast plan: the network as a program of bound functions, one program per batch size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from energysim.errors import UsageError
from energysim.graph import Conv2d, LayerGraph, Node
from energysim.inference.base import Images, Plan, checked_images
from energysim.inference.compact import packed_kernel
from energysim.inference.direct import by_node, dense_macs
from energysim.inference.fast.blas import one_thread
from energysim.inference.fast.choose import Choice, Chooser, numba_present
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import Array
from energysim.inference.fast.path import Path, Walk
from energysim.inference.fast.program import Program
from energysim.inference.reference import function_of, run_operator
from energysim.inference.weights import Weights, check_weights

__all__ = ["Chosen", "FastPlan", "make_plan"]


@dataclass(frozen=True)
class Chosen:
    """What runs one stage of a plan.

    Attributes
    ----------
    node : str
        The node whose operator computes.
    path : str
        The path of a convolution; ``packed`` for a sparse linear layer, ``flat`` or ``reference`` for
        other operators.
    nodes : tuple of str
        All nodes the stage stands for, folded ones included.
    transform : bool
        Whether it multiplies in a transformed domain.
    packed_bytes : int
        Bytes of its packed weights and tables.
    """

    node: str
    path: str
    nodes: tuple[str, ...]
    transform: bool = False
    packed_bytes: int = 0


class FastPlan(Plan):
    """See :func:`make_plan`.

    Attributes
    ----------
    compiled : bool
        Whether compiled paths are used.
    program : Program
        What runs for the graph's own batch.
    """

    path = "fast"

    def __init__(
        self,
        graph: LayerGraph,
        weights: Weights,
        threads: int,
        chooser: Chooser,
        compiled: bool,
    ) -> None:
        super().__init__(graph, threads)
        for node in graph.nodes:
            function_of(node)
        for name in chooser.told:
            if not isinstance(graph.node(name).op, Conv2d):
                raise UsageError(f"node {name!r} is no convolution: it has no path to choose")
        self.compiled = compiled
        self._weights = check_weights(graph, weights)
        self._parameters = by_node(graph, self._weights)
        self._chooser = chooser
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._programs: dict[int, Program] = {}
        self._single: dict[tuple[str, int], Program] = {}
        with one_thread():
            self.program = self._programs[graph.batch] = self._made(graph)
        self._names = {s.stage.node.name: s.form for s in self.program.steps}

    def _made(self, graph: LayerGraph) -> Program:
        return Program(graph, self._weights, self._chooser, self.threads, self.compiled)

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """What runs each stage, in order."""
        return tuple(
            Chosen(
                s.stage.node.name,
                s.form,
                tuple(s.stage.nodes),
                s.path is not None and s.path.transform,
                s.packed_bytes,
            )
            for s in self.program.steps
        )

    @property
    def arena_bytes(self) -> int:
        """Bytes of activations and scratch of the plan's own batch."""
        return self.program.arena_bytes

    @property
    def memory_bytes(self) -> int:
        held = sum(a.nbytes for a in self._weights.values())
        return held + self.program.packed_bytes + self.program.arena_bytes

    def walks(self, node: str) -> tuple[Walk, ...]:
        """Return the index tables that the loop of a convolution walks; empty for a transform."""
        self.graph.node(node)
        for step in self.program.steps:
            if step.stage.node.name == node and step.path is not None:
                return step.path.walks()
        return ()

    def run(self, images: Images) -> Array | dict[str, Array]:
        given = checked_images(self.graph, images)
        batch = len(next(iter(given.values())))
        with one_thread():
            if batch not in self._programs:
                self._programs[batch] = self._made(self.graph.with_batch(batch))
            program = self._programs[batch]
            found = program.run(given, self._pool)
        program.count(self.counter)
        return found if len(found) > 1 else next(iter(found.values()))

    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Run one node alone, nothing folded in; convolutions, sparse linear layers as the plan does."""
        if not isinstance(node.op, Conv2d) and packed_kernel(self.graph, node) is None:
            outputs = run_operator(node, inputs, self._parameters[node.name])
            macs = dense_macs(node, inputs, outputs)
            if macs:
                self.counter.add(node.name, macs)
            return outputs
        batch = len(inputs[0])
        if (node.name, batch) not in self._single:
            shapes = {t: (batch, *self.graph.tensors[t].shape[1:]) for t in node.inputs}
            graph = LayerGraph(node.name, shapes, [node])
            self._single[node.name, batch] = Program(graph, self._weights, self._as_planned)
        program = self._single[node.name, batch]
        found = program.run(dict(zip(node.inputs, inputs, strict=True)))
        program.count(self.counter)
        return tuple(found[t] for t in node.outputs)

    def _as_planned(self, node: str, conv: Convolution) -> Path:
        from energysim.inference.fast.choose import PATHS

        kind = PATHS[self._names[node]]
        return kind(conv) if kind.fits(conv) else self._chooser(node, conv)


def make_plan(
    graph: LayerGraph,
    weights: Weights,
    *,
    threads: int = 1,
    compiled: bool | None = None,
    winograd: bool = True,
    choose: Choice = "auto",
    direct: bool = False,
) -> FastPlan:
    """Return the fast plan of a network.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    threads : int
        Workers that share tiles, filters or images; each uses one BLAS thread.
    compiled : bool, optional
        Whether to use numba (extra ``[fast]``); by default if it is installed.
    winograd : bool
        Whether dense 3 x 3 layers may use a transform. Off where outputs are to validate anything.
    choose : {"auto", "time"} or mapping of node name to path name
        By rule, by timing every path that fits, or as told (rules for nodes not named).
    direct : bool
        Least memory: no transform, tiled columns, weights used as they lie; sparse kernels compact.

    Raises
    ------
    UsageError
        Compiled paths without numba, or a path that does not exist or fit.
    WeightsError
        Weights that do not belong to the network.
    UnknownOperatorError
        An operator that nobody has said how to run.
    """
    if compiled and not numba_present():
        raise UsageError("compiled paths need numba: pip install 'energysim[fast]'")
    use = numba_present() if compiled is None else compiled
    chooser = Chooser(choose, use, winograd and not direct, direct)
    return FastPlan(graph, weights, threads, chooser, use)
