"""All schemes by name: one line each, here and nowhere else.

An entry is a :class:`SchemeKind`, or for a plug-in with nothing more to say a function that parses
what stands behind the colon. Plug-ins register under the entry-point group ``energysim.schemes``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from energysim.errors import EnergysimError
from energysim.registry import Registry
from energysim.schemes.base import Scheme
from energysim.schemes.parameters import UnknownParameterError

__all__ = ["SCHEMES", "SchemeKind", "kind_of", "parameters_of"]

SCHEMES = Registry(
    "scheme",
    "energysim.schemes",
    {
        "auto": "energysim.schemes.auto:KIND",
        "bfp": "energysim.schemes.bfp:KIND",
        "block": "energysim.schemes.block_sparse:KIND",
        "channels": "energysim.schemes.channels:KIND",
        "comb": "energysim.schemes.comb:KIND",
        "csc": "energysim.schemes.csc:KIND",
        "csg": "energysim.schemes.csg:KIND",
        "deform": "energysim.schemes.deform:KIND",
        "dense": "energysim.schemes.dense:KIND",
        "dsconv": "energysim.schemes.dsconv:KIND",
        "dwdilated": "energysim.schemes.depthwise:DILATED",
        "dwseparable": "energysim.schemes.depthwise:SEPARABLE",
        "esp": "energysim.schemes.esp:KIND",
        "freq": "energysim.schemes.freq:KIND",
        "grouped": "energysim.schemes.grouped:GROUPED",
        "lean": "energysim.schemes.lean:KIND",
        "imex": "energysim.schemes.imex:KIND",
        "kwta": "energysim.schemes.kwta:KIND",
        "nm": "energysim.schemes.nm:KIND",
        "penni": "energysim.schemes.penni:KIND",
        "psc": "energysim.schemes.psc:KIND",
        "psconv": "energysim.schemes.psconv:KIND",
        "roots": "energysim.schemes.grouped:ROOTS",
        "shift": "energysim.schemes.shift:KIND",
        "slim": "energysim.schemes.slim:KIND",
        "split": "energysim.schemes.split:KIND",
        "ternary": "energysim.schemes.ternary:KIND",
        "unstructured": "energysim.schemes.unstructured:KIND",
    },
)


@dataclass(frozen=True)
class SchemeKind:
    """What is known of a scheme before it has parameters.

    Attributes
    ----------
    parse : function
        Text behind the colon -> Scheme; raises SchemeError for what cannot be used.
    summary : str
        One line for ``energysim list schemes``.
    family : tuple of str
        Members that ``--sparsity all`` estimates; none for the dense form.
    """

    parse: Callable[[str], Scheme]
    summary: str
    family: tuple[str, ...] = ()

    def __call__(self, text: str) -> Scheme:
        """Return the scheme written behind the colon."""
        return self.parse(text)


def kind_of(name: str) -> SchemeKind:
    """Return what is known of a scheme by name; a plain function is its own kind.

    Raises
    ------
    UnknownNameError, EnergysimError
        If there is no such scheme, or it cannot be loaded.
    """
    found = SCHEMES.get(name)
    if isinstance(found, SchemeKind):
        return found
    return SchemeKind(found, (inspect.getdoc(found) or "").partition("\n")[0].rstrip("."), (name,))


def parameters_of(name: str) -> dict[str, str]:
    """Return the parameters of a scheme -> what they take, as the scheme itself names them when asked for
    one that it has not; none if it does not say.
    """
    kind = kind_of(name)
    # Some schemes take parameters only behind a first word, which their own examples have.
    for text in ("?=?", *(f"{member.partition(':')[2]},?=?" for member in kind.family[:1])):
        try:
            kind.parse(text)
        except UnknownParameterError as error:
            return error.accepted
        except EnergysimError:
            continue
    return {}
