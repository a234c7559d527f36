"""PyTorch modules: sparse while they are trained, and estimated without a detour.

>>> from energysim.torch import bake, sparsify
>>> print(sparsify(net, "psconv:PSD4_P8"))  # masks that training keeps
>>> ...  # train as ever
>>> bake(net)  # plain weights with zeros

>>> from energysim.torch import estimate, from_torch
>>> graph, weights = from_torch(net.eval(), images)
>>> report = estimate(net.eval(), images, hardware="edge45")

Nothing else of the package imports this one or PyTorch; both are loaded when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from energysim.torch.direct import estimate
    from energysim.torch.masks import bake, sparsify
    from energysim.torch.summary import MaskedLayer, Sparsified
    from energysim.torch.support_mask import SupportMask

__all__ = [
    "MaskedLayer",
    "Sparsified",
    "SupportMask",
    "bake",
    "estimate",
    "from_torch",
    "sparsify",
]

_WHERE = {
    "MaskedLayer": "summary",
    "Sparsified": "summary",
    "SupportMask": "support_mask",
    "bake": "masks",
    "estimate": "direct",
    "from_torch": "convert",
    "sparsify": "masks",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'energysim.torch' has no attribute {name!r}")
    from energysim.torch.needs import need_torch

    need_torch()
    return getattr(import_module(f"energysim.torch.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
