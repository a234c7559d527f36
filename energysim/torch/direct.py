"""Estimating a module without a file in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from energysim.errors import ModelError
from energysim.graph import Conv2d, LayerGraph, Linear
from energysim.hardware import Hardware
from energysim.report import Report
from energysim.schemes import Left, Origin, Rewrite, Scheme, weighted_nodes
from energysim.torch.convert import from_torch
from energysim.torch.support_mask import SupportMask, installed_mask
from energysim.walker import estimate as estimate_graph

__all__ = ["estimate", "installed_scheme"]


def estimate(
    module: Any,
    example: Any,
    sparsity: str | Scheme | Iterable[str | Scheme] | None = None,
    hardware: str | Path | Hardware = "edge45",
    **options: Any,
) -> Report:
    """Estimate a module on a piece of hardware, the dense form first, then each scheme.

    Parameters
    ----------
    module, example
        As for :func:`energysim.torch.from_torch`; the batch is the example's.
    sparsity : str, Scheme or several, optional
        As for :func:`energysim.estimate`; by default the masks that are on the module, if any.
    hardware, **options
        As for :func:`energysim.estimate`; the example says the input, the module the classes.

    Raises
    ------
    EnergysimError
        For anything that cannot be used; the message says where and what would be.
    """
    graph, _ = from_torch(module, example)
    own = installed_scheme(module)
    chosen = sparsity if sparsity is not None else own if own is not None else "dense"
    return estimate_graph(graph, chosen, hardware, **options)


def installed_scheme(module: Any) -> Scheme | None:
    """Return the masks on a module as a scheme for the graph it gives; None if there are none."""
    masks = {name or type(part).__name__: installed_mask(part) for name, part in module.named_modules()}
    found = {name: mask for name, mask in masks.items() if mask is not None}
    return _Installed(found) if found else None


class _Installed(Scheme):
    """Gives the layers of a graph the kernels that the modules of the same names have."""

    def __init__(self, masks: Mapping[str, SupportMask]) -> None:
        self.masks = masks

    def __str__(self) -> str:
        return " + ".join(sorted({mask.scheme for mask in self.masks.values()}))

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`energysim.schemes.Scheme.apply`."""
        layers = {n.name: n.op for n in weighted_nodes(graph) if only is None or n.name in only}
        changed = {}
        for name, mask in self.masks.items():
            op = layers.get(name)
            if only is None and not isinstance(op, Conv2d | Linear):
                raise ModelError(f"layer {name!r} has a mask, but {graph.name!r} has no such layer")
            if isinstance(op, Conv2d | Linear):
                changed[name] = replace(op, kernel=mask.kernel)
        trace = {
            n.name: Origin(n.name, self.masks[n.name].scheme if n.name in changed else "dense")
            for n in graph.nodes
        }
        left = tuple(Left(name, "no mask") for name in layers if name not in changed)
        return Rewrite(graph.with_operators(changed), trace, left)
