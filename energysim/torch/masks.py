"""Masks on the weights of a module, by PyTorch's own parametrization, so that training keeps them.

The parameter stays the same object: an optimiser that was made before goes on working.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.utils import parametrize

from energysim.errors import SchemeError, UsageError
from energysim.graph import LayerGraph
from energysim.kernels import Kernel
from energysim.schemes import Rewrite, Scheme, parse_scheme, weighted_nodes
from energysim.torch.layers import check_module, weighted_layers
from energysim.torch.summary import MaskedLayer, Sparsified
from energysim.torch.support_mask import SupportMask, installed_mask

__all__ = ["bake", "sparsify"]


def sparsify(module: Any, scheme: str | Scheme, example: Any = None) -> Sparsified:
    """Put a scheme's masks on the weights of a module, in place.

    The policy is the scheme's own, as on a graph: first convolution, 1x1, depthwise and transposed
    convolutions and linear layers stay dense, and a layer that has a mask keeps it. Layers bear their
    names in ``named_modules()``, for rules (``features.*=psconv``) as well as for random masks.

    Parameters
    ----------
    module : torch.nn.Module
    scheme : str or Scheme
        One scheme that only removes weights: ``"psconv:PSD4_P8"``.
    example : tensor or tuple of tensors, optional
        Runs the module once to learn in which order layers run. Without it they are taken in the
        order they are defined; the two differ if the first convolution is not defined first.

    Returns
    -------
    Sparsified
        What got a mask, what was left and why, and which order was taken.

    Raises
    ------
    UsageError
        If this is no module, has no convolution, or cannot run the example.
    SchemeError, UnknownNameError
        If there is no such scheme, or it does more than remove weights.
    """
    check_module(module)
    chosen = parse_scheme(scheme)
    layers = weighted_layers(module, example)
    convolutions = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    if layers.graph is None or not any(isinstance(m, convolutions) for m in layers.modules.values()):
        kinds = ", ".join(sorted({type(m).__name__ for m in layers.modules.values()})) or "no weighted layer"
        raise UsageError(f"{type(module).__name__} has no Conv2d that {chosen} could make sparse ({kinds})")
    rewrite = chosen.apply(layers.graph)
    found = []
    for name, kernel in _kernels(layers.graph, rewrite, str(chosen)).items():
        layer, own = layers.modules[name], rewrite.trace[name].scheme
        parametrize.register_parametrization(
            layer, "weight", SupportMask(kernel, own).to(layer.weight.device)
        )
        found.append(MaskedLayer(name, own, kernel.shape, kernel.nonzeros))
    reasons = {entry.node: entry for entry in (*layers.left, *rewrite.left)}
    left = tuple(reasons[name] for name in layers.modules if name in reasons)
    kind = type(module).__name__.removeprefix("Parametrized")
    return Sparsified(kind, str(chosen), layers.order, tuple(found), left, rewrite.assumed)


def bake(module: Any) -> tuple[str, ...]:
    """Take all masks off again, in place: weights become plain tensors that hold the zeros.

    For saving under the usual names, exporting, or going on without masks: training then fills the
    zeros again.

    Returns
    -------
    tuple of str
        The layers that had a mask.

    Raises
    ------
    UsageError
        If this is no module, or a weight has other parametrizations beside the mask.
    """
    check_module(module)
    masked = [(name, m) for name, m in module.named_modules() if installed_mask(m) is not None]
    for name, layer in masked:
        if len(layer.parametrizations["weight"]) > 1:
            raise UsageError(
                f"the weight of layer {name!r} has other parametrizations beside its mask: "
                "remove them first (torch.nn.utils.parametrize.remove_parametrizations)"
            )
    for _, layer in masked:
        parametrize.remove_parametrizations(layer, "weight")
    return tuple(name or type(m).__name__ for name, m in masked)


def _kernels(graph: LayerGraph, rewrite: Rewrite, scheme: str) -> dict[str, Kernel]:
    """The kernels of the layers that a scheme changed; SchemeError if it did anything else."""
    kept = {node.name: node for node in rewrite.graph.nodes}
    found: dict[str, Kernel] = {}
    for node in weighted_nodes(graph):
        new = kept.get(node.name)
        if new == node:
            continue
        kernel = None if new is None or type(new.op) is not type(node.op) else getattr(new.op, "kernel", None)
        if not isinstance(kernel, Kernel) or rewrite.trace[node.name].exactness != "E1":
            raise SchemeError(
                f"{scheme} does more to layer {node.name!r} than to remove weights: only a scheme that "
                "equals a masked layer can be put on a module"
            )
        found[node.name] = kernel
    return found
