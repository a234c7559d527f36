"""Running the compact form against the dense one; counts come from the executor alone.

Imports nothing that knows of costs: what is counted here is what was executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from energysim.data import Data, batch_size, classes_of
from energysim.errors import UsageError
from energysim.graph import LayerGraph, Node
from energysim.inference import Plan, plan
from energysim.inference.base import Images
from energysim.inference.counter import Executed
from energysim.inference.reference.types import Array
from energysim.inference.weights import Weights, masked
from energysim.schemes import Rewrite
from energysim.validate.answers import Answers
from energysim.validate.blocks import (
    blocks_of,
    dense_equivalent,
    equal_weights,
    need_unchanged_layers,
)
from energysim.validate.differences import Differences

__all__ = ["Executors", "Outcome", "Step", "dense_equivalent", "execute", "executors"]

#: Called with what is done, how many images are done, and of how many.
Step = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Executors:
    """Two plans of one network: dense by definition, and the one that is checked against it.

    Attributes
    ----------
    reference, candidate : Plan
    blocks : dict of str to tuple of Node
        For each node of the reference the nodes of the candidate that stand for it.
    kept : dict of str to tuple of int
        Tensors of which the candidate has some channels only (elements of axis 1), and which.
    """

    reference: Plan
    candidate: Plan
    blocks: dict[str, tuple[Node, ...]]
    kept: dict[str, tuple[int, ...]]

    @property
    def memory_bytes(self) -> int:
        """What a run of both holds at most, for the batch they were made for."""
        return self.reference.memory_bytes + self.candidate.memory_bytes


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes
    ----------
    tensors : dict of str to Differences
        By node; compared where a node multiplies, else only the reference is known.
    alone, whole : dict of str to Executed
        By node, for all images: run layer by layer, and run from end to end.
    output : Differences
        Of the network's outputs, each form run from end to end.
    answers : Answers or None
        None if the network tells no classes apart.
    """

    tensors: dict[str, Differences]
    alone: dict[str, Executed]
    whole: dict[str, Executed]
    output: Differences
    answers: Answers | None


def executors(
    graph: LayerGraph, rewrite: Rewrite, weights: Weights, mode: str, path: str, winograd: bool, data: Data
) -> Executors:
    """Return both plans, for batches as they are run.

    Raises
    ------
    UsageError
        A mode or path that cannot be used.
    WeightsError
        Weights that do not belong to the network.
    """
    if path not in ("compact", "fast"):
        raise UsageError(f"the path to check is compact or fast, not {path!r}")
    batch = min(batch_size(graph), data.count)
    dense = dense_equivalent(graph, rewrite).with_batch(batch)
    sparse = rewrite.graph.with_batch(batch)
    kept, equal = masked(rewrite.graph, weights), equal_weights(rewrite, weights)
    blocks = blocks_of(dense, rewrite)
    if mode != "float32":
        need_unchanged_layers(rewrite, mode)
    calibration: Images | None = None if mode == "float32" else next(data.batches(batch)).images
    reference = plan(dense, equal, mode=mode, calibration=calibration)  # type: ignore[arg-type]
    if path == "fast" and mode == "float32":
        from energysim.inference.fast import make_plan

        return Executors(reference, make_plan(sparse, kept, winograd=winograd), blocks, rewrite.kept)
    candidate = plan(sparse, kept, mode=mode, path=path, calibration=calibration)  # type: ignore[arg-type]
    return Executors(reference, candidate, blocks, rewrite.kept)


def execute(both: Executors, data: Data, layers: bool = True, step: Step | None = None) -> Outcome:
    """Run both forms on all images.

    Parameters
    ----------
    both : Executors
    data : Data
    layers : bool
        Whether each layer is also run alone, on what the reference feeds it.
    step : function, optional
        Told after each layer and each batch.
    """
    graph, size = both.reference.graph, both.reference.graph.batch
    tensors = {node.name: Differences() for node in graph}
    alone: dict[str, Executed] = {}
    whole: dict[str, Executed] = {}
    counter, output = both.candidate.counter, Differences()
    answers = Answers(classes_of(graph)) if classes_of(graph) else None
    done = 0
    for batch in data.batches(size):
        finals: dict[str, Array] = {}
        for number, (node, inputs, outputs) in enumerate(both.reference.walk(batch.images)):
            finals.update(_kept(both.reference, node, outputs))
            if layers:
                counter.reset()
                _compare(both, node, inputs, outputs, tensors[node.name])
                _add(alone, counter.nodes)
            if step is not None:
                step(node.name, done * len(graph) + number * batch.count, data.count * len(graph))
        counter.reset()
        found = both.candidate.run(batch.images)
        _add(whole, counter.nodes)
        given = found if isinstance(found, dict) else {graph.outputs[0]: found}
        for name, expected in finals.items():
            output.add(expected, given[name])
            if answers is not None:
                answers.add(expected, given[name], batch.labels)
        done += batch.count
    return Outcome(tensors, alone, whole, output, answers)


def _kept(reference: Plan, node: Node, outputs: tuple[Array, ...]) -> dict[str, Array]:
    """Copies of those outputs of a node that the network returns: the plan may reuse their memory."""
    return {
        name: np.array(reference.decode(name, array))
        for name, array in zip(node.outputs, outputs, strict=True)
        if name in reference.graph.outputs
    }


def _compare(
    both: Executors,
    node: Node,
    inputs: tuple[Array, ...],
    outputs: tuple[Array, ...],
    differences: Differences,
) -> None:
    """Run a layer, or what stands for it, alone; compare if it multiplies, else look at the reference."""
    block = both.blocks[node.name]
    if not any(each.op.category == "mac" for each in (node, *block)):
        for array in outputs:
            differences.add_reference(array)
        return
    live = {name: _of_kept(both, name, array) for name, array in zip(node.inputs, inputs, strict=True)}
    for each in block:
        given = tuple(live[tensor] for tensor in each.inputs)
        live.update(zip(each.outputs, both.candidate.run_node(each.name, given), strict=True))
    for tensor, expected in zip(node.outputs, outputs, strict=True):
        differences.add(_of_kept(both, tensor, expected), live[tensor])


def _of_kept(both: Executors, tensor: str, array: Array) -> Array:
    """What the candidate has of a tensor."""
    if tensor not in both.kept:
        return array
    return np.ascontiguousarray(array[:, list(both.kept[tensor])])


def _add(sums: dict[str, Executed], counted: dict[str, Executed]) -> None:
    for name, new in counted.items():
        old = sums.get(name, Executed())
        sums[name] = Executed(old.macs + new.macs, old.overhead + new.overhead, old.counted and new.counted)
