"""Schemes: what ``--sparsity`` names."""

from energysim.schemes.base import (
    Left,
    Origin,
    Rewrite,
    RewritingScheme,
    Scheme,
    StructuralScheme,
    need_all_changed,
)
from energysim.schemes.block import Block, Recipe, Written
from energysim.schemes.catalog import SCHEMES, SchemeKind, kind_of, parameters_of
from energysim.schemes.compose import Composed
from energysim.schemes.grammar import Rules, parse_scheme, parse_schemes
from energysim.schemes.layers import Layer, usual_refusal, weighted_nodes
from energysim.schemes.merge import (
    derived_weights,
    equivalent_weights,
    own_arrays,
    settled_weights,
    tied_weights,
    underivable,
)

__all__ = [
    "SCHEMES",
    "Block",
    "Composed",
    "Layer",
    "Left",
    "Origin",
    "Recipe",
    "Rewrite",
    "RewritingScheme",
    "Rules",
    "Scheme",
    "SchemeKind",
    "StructuralScheme",
    "Written",
    "derived_weights",
    "equivalent_weights",
    "kind_of",
    "need_all_changed",
    "own_arrays",
    "parameters_of",
    "parse_scheme",
    "parse_schemes",
    "settled_weights",
    "tied_weights",
    "underivable",
    "usual_refusal",
    "weighted_nodes",
]
