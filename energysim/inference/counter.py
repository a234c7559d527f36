"""Counts of multiply-adds that were really executed; knows nothing of any estimate."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["Executed", "MacCounter"]


@dataclass(frozen=True)
class Executed:
    """Multiply-adds of one node, for all images run so far.

    Attributes
    ----------
    macs : int
        For outputs that exist, with weights that exist; taps on padding included.
    overhead : int
        Products besides these that a layout made necessary (padding columns, tails).
    counted : bool
        False if the node ran in a form whose products are no multiply-adds of the definition (a
        transform); its ``macs`` mean nothing.
    """

    macs: int = 0
    overhead: int = 0
    counted: bool = True


class MacCounter:
    """Adds up what the nodes of a plan execute; can be shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nodes: dict[str, Executed] = {}

    def add(self, node: str, macs: int, overhead: int = 0, counted: bool = True) -> None:
        """Add multiply-adds of a node."""
        with self._lock:
            old = self._nodes.get(node, Executed())
            self._nodes[node] = Executed(old.macs + macs, old.overhead + overhead, old.counted and counted)

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._nodes.clear()

    @property
    def nodes(self) -> dict[str, Executed]:
        """What each node that multiplies has executed, in the order of first execution."""
        with self._lock:
            return dict(self._nodes)

    @property
    def total(self) -> Executed:
        """The sum over all nodes; ``counted`` only if all are."""
        nodes = self.nodes.values()
        return Executed(
            sum(n.macs for n in nodes), sum(n.overhead for n in nodes), all(n.counted for n in nodes)
        )
