"""The parametrization that keeps positions of a weight at zero.

A parametrized weight is computed from the stored one whenever it is read. Here positions that do not
exist read as zero, so they get no gradient either; the stored weight is zero there too, from the
first moment on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils import parametrize

from energysim.kernels import Kernel

__all__ = ["SupportMask", "installed_mask"]


class SupportMask(torch.nn.Module):
    """A parametrization that keeps some weights and makes the others zero.

    Parameters
    ----------
    kernel : Kernel
        Which weights exist.
    shape : sequence of int
        Of the weight tensor: (M, C, R, S), or (M, F) of a linear layer.
    scheme : str
        Whose idea it was.

    Attributes
    ----------
    mask : bool tensor of the weight's shape
        Part of the state: a state with another mask is refused on loading.
    """

    mask: Any

    def __init__(self, kernel: Kernel, shape: Sequence[int], scheme: str) -> None:
        super().__init__()
        self.kernel, self.scheme = kernel, scheme
        self.register_buffer("mask", torch.from_numpy(kernel.mask().reshape(shape)))

    def forward(self, weight: Any) -> Any:
        """Return the weight as the layer sees it."""
        return weight.masked_fill(~self.mask, 0)  # not a product: 0 x infinity is no number

    def right_inverse(self, weight: Any) -> Any:
        """Return what is stored for a weight that is assigned."""
        return self.forward(weight)

    def _load_from_state_dict(self, state: Any, prefix: str, *rest: Any) -> None:
        """Refuse the mask of another scheme; ``rest`` ends in a list of error messages."""
        given = state.get(f"{prefix}mask")
        if given is not None and not torch.equal(given.to(self.mask.device), self.mask):
            rest[-1].append(f"{prefix}mask: the state was saved with another mask: sparsify with its scheme")
        super()._load_from_state_dict(state, prefix, *rest)


def installed_mask(layer: Any) -> SupportMask | None:
    """Return the mask on a layer's weight, or None."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    return next((p for p in layer.parametrizations["weight"] if isinstance(p, SupportMask)), None)
