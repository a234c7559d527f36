"""The weighted layers of a module, as a graph that schemes can look at.

Schemes decide on a :class:`~energysim.graph.LayerGraph`; of a module only its layers are known, not
how they are connected. So each layer becomes a node that reads an input of its own, just large
enough: names, weight shapes and their order are real, and no scheme that only lays out weights looks
at more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from energysim.errors import UsageError
from energysim.graph import Conv2d, ConvTranspose2d, LayerGraph, Linear, Node, Operator
from energysim.graph.shapes import Shape, text
from energysim.kernels import Kernel
from energysim.schemes import Left
from energysim.torch.summary import Order
from energysim.torch.support_mask import installed_mask

__all__ = ["Layers", "check_module", "run_once", "weighted_layers"]


@dataclass(frozen=True)
class Layers:
    """The weighted layers of a module.

    Attributes
    ----------
    graph : LayerGraph or None
        A node for each layer, in order; None if there is none.
    modules : dict of str to torch.nn.Module
        The layers by name.
    left : tuple of Left
        Layers that no scheme is asked about.
    order : {"definition", "run"}
    """

    graph: LayerGraph | None
    modules: dict[str, Any]
    left: tuple[Left, ...]
    order: Order


def check_module(module: Any) -> None:
    """Raise UsageError for anything but a module of plain PyTorch."""
    if isinstance(module, type) and issubclass(module, torch.nn.Module):
        raise UsageError(f"a module is wanted, not its class: write {module.__name__}()")
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"a torch.nn.Module is wanted, not {type(module).__name__}")
    if isinstance(module, torch.jit.ScriptModule):
        raise UsageError("a compiled TorchScript module cannot be read: give the module it was made from")


def run_once(module: Any, example: Any) -> tuple[Any, ...]:
    """Run a module on an example, as for inference, and return the example as a tuple of arguments.

    Raises
    ------
    UsageError
        If the example is no tensor or tuple of tensors, or the module fails on it.
    """
    given = tuple(example) if isinstance(example, tuple | list) else (example,)
    if not given or not all(isinstance(tensor, torch.Tensor) for tensor in given):
        kinds = ", ".join(type(item).__name__ for item in given) or "nothing"
        raise UsageError(f"the example is a tensor (or a tuple of tensors), batch first, not {kinds}")
    training = {m: m.training for m in module.modules()}
    try:
        module.eval()
        with torch.no_grad():
            module(*given)
    except Exception as error:  # whatever the user's own code raises
        shapes = ", ".join(text(tuple(t.shape)) or "one number" for t in given)
        line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        kind = type(module).__name__
        raise UsageError(
            f"{kind} cannot be run on the example of {shapes}: {type(error).__name__}: {line}"
        ) from error
    finally:
        for part, state in training.items():
            part.training = state
    return given


def weighted_layers(module: Any, example: Any = None) -> Layers:
    """Return the layers with weights, in the order they ran on an example, else as they are defined.

    Raises
    ------
    UsageError
        If a layer has no shape yet, or the example does not fit.
    """
    named = {m: name or type(m).__name__ for name, m in module.named_modules() if _operator(m) is not None}
    order: Order = "definition" if example is None else "run"
    ran = list(named) if example is None else _as_they_run(module, list(named), example)
    left = {named[m]: "does not run on the example" for m in named if m not in ran}
    shared = _shared_weights(module)
    nodes, inputs = [], {}
    for part in ran:
        name = named[part]
        if isinstance(part.weight, torch.nn.parameter.UninitializedTensorMixin):
            raise UsageError(f"layer {name!r} has no shape before its first run: run the module once")
        if id(part) in shared:
            left[name] = f"shares its weights with {shared[id(part)]}"
            continue
        found = _operator(part)
        if isinstance(found, str):
            left[name] = found
            continue
        assert found is not None
        op, shape = found
        inputs[f"{name}/input"] = shape
        nodes.append(Node(name, op, (f"{name}/input",), (name,)))
    graph = LayerGraph(type(module).__name__, inputs, nodes) if nodes else None
    modules = {name: m for m, name in named.items()}
    return Layers(graph, modules, tuple(Left(n, left[n]) for n in modules if n in left), order)


def _operator(layer: Any) -> tuple[Operator, Shape] | str | None:
    """The operator of a layer and an input for it; or why no scheme is asked; or None: no such layer."""
    nn = torch.nn
    if isinstance(layer, nn.Linear):
        return Linear(layer.out_features, layer.bias is not None, _kernel(layer)), (1, layer.in_features)
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        rows, cols = layer.kernel_size
        dilation = (layer.dilation[0], layer.dilation[1])
        size = (dilation[0] * (rows - 1) + 1, dilation[1] * (cols - 1) + 1)
        shape = (1, layer.in_channels, *size)
        common: dict[str, Any] = {
            "out_channels": layer.out_channels,
            "window": (rows, cols),
            "dilation": dilation,
            "groups": layer.groups,
            "bias": layer.bias is not None,
        }
        if isinstance(layer, nn.ConvTranspose2d):
            return ConvTranspose2d(**common), shape
        return Conv2d(**common, kernel=_kernel(layer)), shape
    if isinstance(layer, nn.Conv1d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose3d):
        return f"{type(layer).__name__.removeprefix('Parametrized')}: not two-dimensional"
    return None


def _kernel(layer: Any) -> Kernel | None:
    mask = installed_mask(layer)
    return None if mask is None else mask.kernel


def _as_they_run(module: Any, layers: Sequence[Any], example: Any) -> list[Any]:
    """The layers in the order of their first run."""
    ran: dict[Any, None] = {}
    hooks = [layer.register_forward_pre_hook(lambda m, _: ran.setdefault(m)) for layer in layers]
    try:
        run_once(module, example)
    finally:
        for hook in hooks:
            hook.remove()
    return list(ran)


def _shared_weights(module: Any) -> dict[int, str]:
    """Layers (by identity) whose weight is a parameter of another layer too, with the other's name."""
    owners: dict[int, list[tuple[str, Any]]] = {}
    for name, part in module.named_modules():
        for suffix, parameter in part.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append((f"{name}.{suffix}", part))
    found = {}
    for shared in owners.values():
        for name, part in shared:
            others = [repr(other) for other, _ in shared if other != name]
            if others:
                found[id(part)] = ", ".join(others)
    return found
