"""What was made sparse in a module, and what was left and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energysim.graph.shapes import product, text
from energysim.schemes import Left

__all__ = ["MaskedLayer", "Order", "Sparsified"]

#: Where the order of the layers comes from, which says what the first convolution is.
Order = Literal["definition", "run"]


@dataclass(frozen=True)
class MaskedLayer:
    """A layer whose weights got a mask.

    Attributes
    ----------
    name : str
        The module's name, as ``named_modules()`` gives it.
    scheme : str
    shape : tuple of int
        Of the weight tensor.
    kept : int
        Weights that exist.
    """

    name: str
    scheme: str
    shape: tuple[int, ...]
    kept: int

    @property
    def total(self) -> int:
        """Weights of the tensor, zeros included."""
        return product(self.shape)


@dataclass(frozen=True)
class Sparsified:
    """What :func:`energysim.torch.sparsify` did; ``print`` shows it as text.

    Attributes
    ----------
    module : str
        Class of the module.
    scheme : str
    order : {"definition", "run"}
        Whether the first convolution is the first that was defined, or the first that ran.
    layers : tuple of MaskedLayer
    left : tuple of Left
        Layers with weights that stay as they were, each with the reason.
    assumed : tuple of str
        Statements of the scheme that rest on no source.
    """

    module: str
    scheme: str
    order: Order
    layers: tuple[MaskedLayer, ...]
    left: tuple[Left, ...]
    assumed: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """Weights that exist in the layers that got a mask."""
        return sum(layer.kept for layer in self.layers)

    @property
    def total(self) -> int:
        """Weights of these layers, zeros included."""
        return sum(layer.total for layer in self.layers)

    def __str__(self) -> str:
        how = {"definition": "as defined", "run": "as they ran on the example"}[self.order]
        lines = [f"{self.module}: {self.scheme}, layers in the order {how}"]
        for layer in self.layers:
            own = "" if layer.scheme == self.scheme else f" by {layer.scheme}"
            lines.append(f"  {layer.name}: {layer.kept} of {layer.total} weights ({text(layer.shape)}){own}")
        lines += [f"  left as it is: {entry.node} ({entry.reason})" for entry in self.left]
        lines += [f"  assumed: {sentence}" for sentence in self.assumed]
        if not self.layers:
            lines.append("  no layer got a mask")
        return "\n".join(lines)
