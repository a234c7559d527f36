"""Masks on the weights of a module, by PyTorch's own parametrization, so that training keeps them.

The parameter stays the same object: an optimiser that was made before goes on working.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.nn.utils import parametrize

from energysim.errors import SchemeError, UsageError
from energysim.graph import Conv2d, Linear, Node
from energysim.kernels import Kernel
from energysim.schemes import Rewrite, Rules, Scheme, parse_scheme, weighted_nodes
from energysim.schemes.dense import Dense
from energysim.torch.layers import Layers, check_module, weighted_layers
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
    _check_scheme(chosen)
    layers = weighted_layers(module, example)
    kind = type(module).__name__
    convolutions = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    rewrite = None if layers.graph is None else chosen.apply(layers.graph)
    kernels = {} if rewrite is None else _kernels(layers, rewrite, str(chosen))
    if rewrite is None or not (kernels or any(isinstance(m, convolutions) for m in layers.modules.values())):
        kinds = ", ".join(sorted({type(m).__name__ for m in layers.modules.values()})) or "no weighted layer"
        raise UsageError(f"{kind} has no Conv2d that {chosen} could make sparse ({kinds})")
    found = []
    for name, kernel in kernels.items():
        layer, own = layers.modules[name], rewrite.trace[name].scheme
        shape = tuple(layer.weight.shape)
        mask = SupportMask(kernel, shape, own).to(layer.weight.device)
        parametrize.register_parametrization(layer, "weight", mask)
        layer.parametrizations.train(layer.training)
        found.append(MaskedLayer(name, own, shape, kernel.nonzeros))
    reasons = {entry.node: entry for entry in (*layers.left, *rewrite.left)}
    left = tuple(reasons[name] for name in layers.modules if name in reasons)
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
        _own_class(layer)
        parametrize.remove_parametrizations(layer, "weight")
    return tuple(name or type(m).__name__ for name, m in masked)


def _own_class(layer: Any) -> None:
    """Give a parametrized layer a class of its own.

    PyTorch makes one for each layer, but copies of the layer share it, and taking a parametrization off
    changes the class: the copies would lose their weights.
    """
    shared = type(layer)
    content = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
    layer.__class__ = type(shared.__name__, shared.__bases__, content)


def _check_scheme(scheme: Scheme) -> None:
    """Raise SchemeError for a scheme that does more than remove weights.

    It is told by what the scheme says of itself: a layer alone has no map, and what depends on maps
    would find a reason to leave every layer.
    """
    for part in (part for _, part in scheme.rules) if isinstance(scheme, Rules) else (scheme,):
        if not isinstance(part, Dense) and set(part.changes) != {"support"}:
            raise SchemeError(
                f"{part} does more to a layer than to remove weights: only a scheme that equals a masked "
                "layer can be put on a module"
            )


def _kernels(layers: Layers, rewrite: Rewrite, scheme: str) -> dict[str, Kernel]:
    """The kernels of the layers that a scheme changed; SchemeError if it did anything else."""
    assert layers.graph is not None
    parts: dict[str, list[Node]] = {}
    for node in rewrite.graph.nodes:
        parts.setdefault(rewrite.trace[node.name].node, []).append(node)
    found: dict[str, Kernel] = {}
    for node in weighted_nodes(layers.graph):
        made = parts.get(node.name, [])
        if made == [node] and rewrite.trace[node.name].scheme == "dense":
            continue
        kernel = _only_kernel(node, made)
        if kernel is None or rewrite.trace[node.name].exactness != "E1":
            raise SchemeError(
                f"{scheme} does more to layer {node.name!r} than to remove weights: only a scheme that "
                "equals a masked layer can be put on a module"
            )
        if installed_mask(layers.modules[node.name]) is not None:
            raise SchemeError(f"layer {node.name!r} has a mask already: bake the module first")
        found[node.name] = kernel
    return found


def _only_kernel(old: Node, made: list[Node]) -> Kernel | None:
    """The kernel of a layer that has become itself with a kernel, and nothing else."""
    if len(made) != 1 or made[0] == old:
        return None
    op, before = made[0].op, old.op
    if not isinstance(op, Conv2d | Linear) or not isinstance(before, Conv2d | Linear) or op.kernel is None:
        return None
    return op.kernel if replace(op, kernel=None) == replace(before, kernel=None) else None
