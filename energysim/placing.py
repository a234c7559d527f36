"""The workloads of a rewritten network, with its tensors as they lie in memory.

Which tensors do is what :mod:`energysim.fusion` says; what a scheme states of a node
(:class:`energysim.extra.Extra`) goes with its workload.
"""

from __future__ import annotations

from dataclasses import replace

from energysim.fusion import Fused
from energysim.graph import BatchNorm, LayerGraph, Node, Slice, Split, Take
from energysim.graph.lookup import computed_inputs
from energysim.schemes import Rewrite
from energysim.workload import MacWorkload, Operand, StreamWorkload, Workload, lower, moved

__all__ = ["Placed"]


class Placed:
    """Gives the workloads of a graph node by node, in walk order.

    Parameters
    ----------
    rewrite : Rewrite
    graph : LayerGraph
        Its graph, with whatever else is known of the tensors by now.
    fused : Fused
    """

    def __init__(self, rewrite: Rewrite, graph: LayerGraph, fused: Fused) -> None:
        self.rewrite, self.graph, self.fused = rewrite, graph, fused
        # (rewritten layer, tensor in memory, part of it that a view cuts out) read so far
        self._read: set[tuple[str, str, str]] = set()

    def workload(self, node: Node) -> Workload:
        """Return the workload of the next node.

        Raises
        ------
        UnknownOperatorError
            If nothing is known of the operator's cost.
        """
        graph, fused = self.graph, self.fused
        work = lower(graph, node)
        if node.name in fused.folded:
            if work is None:
                return StreamWorkload((), (), ())
            into = fused.folded[node.name]
            folds_away = isinstance(node.op, BatchNorm) and into and graph.node(into).op.category == "mac"
            return StreamWorkload((), (), (), 0 if folds_away else work.other_ops)
        if work is None:  # a view: one that moves data goes through memory
            if not node.op.moves:
                return StreamWorkload((), (), ())
            work = moved(graph, node)
        if node.name in self.rewrite.extras:
            extra = work.extra.with_more(node.name, self.rewrite.extras[node.name])
            work = replace(work, extra=extra, other_ops=work.other_ops + extra.other_ops)
        if fused.in_step and work.extra.spilled:
            work = replace(work, extra=replace(work.extra, spilled=0))
        if isinstance(work, MacWorkload):
            first, *others = (self._shared(node, tensor) for tensor in node.inputs)
            return replace(
                work,
                inputs=self._read_as(work.inputs, node.inputs[0], first),
                second=None if work.second is None else self._read_as(work.second, node.inputs[1], others[0]),
                outputs=self._written(work.outputs, node.outputs[0]),
                beside=tuple(map(self._read_as, work.beside, node.inputs[1:], others)),
            )
        names = computed_inputs(graph, node)
        known = [self._shared(node, tensor) for tensor in names]
        return replace(
            work,
            inputs=tuple(map(self._read_as, work.inputs, names, known)),
            outputs=tuple(map(self._written, work.outputs, node.outputs)),
        )

    def _shared(self, node: Node, tensor: str) -> bool:
        """Whether another part of the same layer, which runs in step, has read this tensor already."""
        origin = self.rewrite.trace[node.name]
        if origin.scheme == "dense" or not self.fused.in_step:
            return False
        home, piece = self.fused.stored[tensor].name, self._piece(tensor)
        known = not self._read.isdisjoint({(origin.node, home, ""), (origin.node, home, piece)})
        self._read.add((origin.node, home, piece))
        return known

    def _piece(self, tensor: str) -> str:
        """The part of a stored tensor that a view cuts out: the view's output, or "" for all of it."""
        while (producer := self.graph.tensors[tensor].producer) is not None:
            node = self.graph.node(producer)
            if node.name not in self.fused.folded or not node.inputs:
                break
            if isinstance(node.op, Split | Slice | Take):
                return tensor
            tensor = node.inputs[0]
        return ""

    def _read_as(self, operand: Operand, tensor: str, shared: bool) -> Operand:
        home = self.fused.stored[tensor]
        return replace(
            operand,
            bits=home.bits or operand.bits,
            stored_density=home.density,
            packed=home.packed,
            on_chip=shared or tensor in self.fused.on_chip,
        )

    def _written(self, operand: Operand, tensor: str) -> Operand:
        return replace(self._read_as(operand, tensor, False), shape=self.fused.stored[tensor].shape)
