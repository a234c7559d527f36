"""Which operator is lowered how, by domain, name and the operator set that it is so from.

An operator is in one of three states: *counted* (its function adds nodes whose cost is known), *declared
free* (it leaves no trace: Identity, Dropout), or *unknown*.
"""

from __future__ import annotations

from typing import Literal

from energysim.importers.onnx_arrangement import ARRANGEMENT
from energysim.importers.onnx_convolutions import CONVOLUTIONS
from energysim.importers.onnx_einsum import EINSUM
from energysim.importers.onnx_matrices import PRODUCTS
from energysim.importers.onnx_pointwise import FREE_OPERATORS, POINTWISE
from energysim.importers.onnx_pooling import POOLING
from energysim.importers.onnx_quantised import QUANTISED
from energysim.importers.onnx_reductions import REDUCTIONS
from energysim.importers.onnx_sheet import Lower

__all__ = ["LOWERS", "find", "known_operators", "state"]

#: (domain, operator, since) -> what lowers it from that operator set on. New operators are added here.
LOWERS: dict[tuple[str, str, int], Lower] = {
    ("", operator, since): lower
    for table in (ARRANGEMENT, CONVOLUTIONS, EINSUM, POINTWISE, POOLING, PRODUCTS, QUANTISED, REDUCTIONS)
    for (operator, since), lower in table.items()
}


def find(domain: str, operator: str, opset: int) -> Lower:
    """Return what lowers an operator of an operator set: the newest that is not newer.

    Raises
    ------
    KeyError
        If the operator is unknown: see :func:`state`.
    """
    return LOWERS[domain, operator, _since(domain, operator, opset)]


def _since(domain: str, operator: str, opset: int) -> int:
    return max((s for d, o, s in LOWERS if (d, o) == (domain, operator) and s <= opset), default=0)


def known_operators() -> list[str]:
    """Return the names of all standard operators that are counted or declared free."""
    return sorted({operator for _, operator, _ in LOWERS})


def state(domain: str, operator: str, opset: int) -> Literal["counted", "free", "unknown"]:
    """Return in which of the three states an operator is."""
    if domain == "" and operator in FREE_OPERATORS:
        return "free"
    return "counted" if _since(domain, operator, opset) else "unknown"
