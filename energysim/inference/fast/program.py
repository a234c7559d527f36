"""A network bound to buffers: a list of steps, each a list of plain functions per worker."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from energysim.graph import Conv2d, LayerGraph
from energysim.inference.compact import CompactLinear
from energysim.inference.counter import MacCounter
from energysim.inference.direct import dense_macs
from energysim.inference.fast.elementwise import bind, scale_and_shift
from energysim.inference.fast.geometry import Convolution, Geometry
from energysim.inference.fast.layout import SLACK, Array
from energysim.inference.fast.linear import bind_packed, packed_linears
from energysim.inference.fast.path import Buffers, Call, Path, Share
from energysim.inference.fast.stages import Stage, stages
from energysim.inference.fast.storage import Storage

__all__ = ["Choose", "Program", "Step"]

Weights = Mapping[str, Array]
#: (node name, convolution) -> the path that runs it.
Choose = Callable[[str, Convolution], Path]


@dataclass(eq=False)
class Step:
    """One stage bound to buffers.

    Attributes
    ----------
    stage : Stage
    form : str
        Name of the path, ``packed`` for a sparse linear layer, ``flat`` for other operators on the flat
        layout, or ``reference``.
    parts : list of list of functions
        What each worker calls, in order.
    path : Path or None
        For convolutions.
    packed : CompactLinear or None
        For sparse linear layers.
    """

    stage: Stage
    form: str
    parts: list[list[Call]]
    after: list[Call] = field(default_factory=list)
    path: Path | None = None
    packed: CompactLinear | None = None

    @property
    def packed_bytes(self) -> int:
        """Bytes of its packed weights and tables."""
        if self.packed is not None:
            return self.packed.nbytes
        return sum(a.nbytes for a in self.path.packed) if self.path else 0


class Program:
    """A graph of one batch size, ready to run.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    choose : function
        Gives the path of each convolution.
    threads : int
    compiled : bool
        Whether pooling may use compiled code.
    """

    def __init__(
        self, graph: LayerGraph, weights: Weights, choose: Choose, threads: int = 1, compiled: bool = False
    ) -> None:
        self.graph = graph
        self._threads = threads
        self._compiled = compiled
        self._lock = threading.Lock()
        work, same = stages(graph)
        self.storage = Storage(graph, work, same)
        paths = {
            id(s): choose(s.node.name, fold(graph, self.storage, s, weights)) for s in work if _is_conv(s)
        }
        linears = packed_linears(graph, weights)
        floats = max((p.scratch for p in paths.values()), default=0) + 2 * SLACK
        self._spaces = [np.zeros(floats, dtype=np.float32) for _ in range(threads)]
        self.steps = [self._step(s, paths.get(id(s)), linears.get(s.node.name), weights) for s in work]

    @property
    def arena_bytes(self) -> int:
        """Bytes of all activations and scratch."""
        return 4 * (self.storage.floats + sum(space.size for space in self._spaces))

    @property
    def packed_bytes(self) -> int:
        """Bytes of packed weights."""
        return sum(step.packed_bytes for step in self.steps)

    def run(self, inputs: Mapping[str, Array], pool: ThreadPoolExecutor | None = None) -> dict[str, Array]:
        """Return copies of the outputs; the program can be run again at once."""
        with self._lock:
            for name, values in inputs.items():
                self._fill(name, values)
            for step in self.steps:
                self._run_step(step, pool)
            return {t: np.array(self.storage.array(t), order="C") for t in self.graph.outputs}

    def _fill(self, name: str, values: Array) -> None:
        self.storage.array(name)[...] = values
        if self.storage.is_map(name) and self.storage.shared(name):
            plane, planes = self.storage.plane(name), self.storage.planes_of(name)
            plane.clear_gaps(planes)
            plane.clear_borders(planes)

    def repeat(self, step: Step, times: int) -> None:
        """Run one step on whatever lies in its buffers (for timing)."""
        for _ in range(times):
            self._run_step(step, None)

    def _run_step(self, step: Step, pool: ThreadPoolExecutor | None) -> None:
        if pool is None or self._threads == 1:
            for part in step.parts:
                for call in part:
                    call()
        else:
            list(pool.map(_call_all, step.parts))
        for call in step.after:
            call()

    def _step(self, stage: Stage, path: Path | None, linear: CompactLinear | None, weights: Weights) -> Step:
        output = stage.last.outputs[0]
        shares = [Share(worker, self._threads) for worker in range(self._threads)]
        if path is not None:
            step = Step(stage, path.name, self._convolution(stage, path, shares), path=path)
        elif linear is not None:
            calls = bind_packed(stage, self.storage, linear)
            idle: list[list[Call]] = [[] for _ in shares[1:]]
            step = Step(stage, "packed", [calls, *idle], packed=linear)
        else:
            made = [bind(stage, self.storage, weights, share, self._compiled) for share in shares]
            step = Step(stage, made[0][0], [calls for _, calls in made])
        if self.storage.is_map(output) and not self._views(stage):
            plane, planes = self.storage.plane(output), self.storage.planes_of(output)
            shared = self.storage.shared(output)
            if plane.gap and (path is not None or shared):
                step.after.append(partial(plane.clear_gaps, planes))
            if shared:
                step.after.append(partial(plane.clear_borders, planes))
        return step

    def _views(self, stage: Stage) -> bool:
        """Whether a stage writes nothing because its outputs are views of its inputs."""
        return bool(stage.inputs) and all(
            self.storage.same_memory(stage.inputs[0], t) for t in stage.last.outputs
        )

    def _convolution(self, stage: Stage, path: Path, shares: list[Share]) -> list[list[Call]]:
        source = self.storage.planes_of(stage.inputs[0])
        target = self.storage.planes_of(stage.last.outputs[0])
        residual = None if stage.residual is None else self.storage.planes_of(stage.residual)
        return [
            path.bind(Buffers(source, target, residual, space, share))
            for space, share in zip(self._spaces, shares, strict=True)
        ]

    def count(self, counter: MacCounter) -> None:
        """Add the multiply-adds of one run to a counter, from the index tables the loops walk."""
        for node, macs, overhead, counted in self._counts:
            counter.add(node, macs, overhead, counted)

    @cached_property
    def _counts(self) -> list[tuple[str, int, int, bool]]:
        """(node, multiply-adds, overhead, whether they count) of each step that multiplies."""
        found = []
        for step in self.steps:
            node = step.stage.node
            if step.path is not None:
                g, walks = step.path.conv.geometry, step.path.walks()
                macs = g.batch * sum(w.macs(g.pixels) for w in walks)
                overhead = g.batch * sum(w.overhead(g.pixels) for w in walks)
                found.append((node.name, macs, overhead, not step.path.transform))
                continue
            if step.packed is not None:
                rows = math.prod(self.graph.input_shapes(node)[0][:-1])
                macs = rows * sum(unit.weights.size for unit in step.packed.units)
                found.append((node.name, macs, 0, True))
                continue
            empty = [np.broadcast_to(np.float32(0), s) for s in self.graph.input_shapes(node)]
            made = [np.broadcast_to(np.float32(0), s) for s in self.graph.output_shapes(node)]
            macs = dense_macs(node, tuple(empty), tuple(made)) if empty else 0
            if macs:
                found.append((node.name, macs, 0, True))
        return found


def _call_all(calls: list[Call]) -> None:
    for call in calls:
        call()


def _is_conv(stage: Stage) -> bool:
    return isinstance(stage.node.op, Conv2d)


def fold(graph: LayerGraph, storage: Storage, stage: Stage, weights: Weights) -> Convolution:
    """Return a stage's convolution with its batch norms folded in, in float64."""
    node, op = stage.node, stage.node.op
    assert isinstance(op, Conv2d)
    source, target = storage.plane(stage.inputs[0]), storage.plane(stage.last.outputs[0])
    shapes = graph.input_shapes(node)
    kernel = op.layout(shapes)
    weight = weights[f"{node.name}.weight"]
    if not kernel.is_dense:
        weight = np.where(kernel.mask(), weight, np.float32(0))
    bias = weights[f"{node.name}.bias"] if op.bias else np.zeros(op.out_channels, np.float32)
    for norm in stage.norms:
        scale, shift = scale_and_shift(weights, norm)
        weight = (weight * scale[:, None, None, None]).astype(np.float32)
        bias = (bias * scale + shift).astype(np.float32)
    geometry = Geometry.of(op, graph.batch, shapes[0][1], source, target)
    weight, bias = (np.ascontiguousarray(a, dtype=np.float32) for a in (weight, bias))
    residual = stage.residual is not None
    return Convolution(geometry, kernel, weight, bias, stage.low, stage.high, residual)
