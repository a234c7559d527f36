"""Schemes: what ``--sparsity`` names."""

from energysim.schemes.base import Left, Origin, Rewrite, Scheme, StructuralScheme, weighted_nodes
from energysim.schemes.grammar import SCHEMES, Rules, parse_scheme, parse_schemes

__all__ = [
    "SCHEMES",
    "Left",
    "Origin",
    "Rewrite",
    "Rules",
    "Scheme",
    "StructuralScheme",
    "parse_scheme",
    "parse_schemes",
    "weighted_nodes",
]
