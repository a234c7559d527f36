"""Formats by name: ``get_format("csr:index=32,pointer=32")``, and decoding of bytes of any format."""

from __future__ import annotations

from typing import cast

from energysim.errors import EnergysimError, FormatError
from energysim.formats.container import spec_of
from energysim.formats.parameters import parse_parameters
from energysim.formats.protocol import StorageFormat, Tensor
from energysim.registry import Registry

__all__ = ["FORMATS", "decode", "get_format"]

FORMATS = Registry(
    kind="storage format",
    group="energysim.formats",
    builtin={
        "bitmap": "energysim.formats.bitmap:BitmapFormat",
        "blocks": "energysim.formats.blocks:BlockFormat",
        "coo": "energysim.formats.coo:CooFormat",
        "csr": "energysim.formats.csr:CsrFormat",
        "cyclic": "energysim.formats.cyclic:CyclicFormat",
        "dense": "energysim.formats.dense:DenseFormat",
        "index": "energysim.formats.index:IndexFormat",
        "nm": "energysim.formats.nm:NMFormat",
        "pattern": "energysim.formats.pattern:PatternFormat",
        "periodic": "energysim.formats.periodic:PeriodicFormat",
        "rlc": "energysim.formats.rlc:RlcFormat",
        "stencil": "energysim.formats.stencil:StencilFormat",
    },
)
"""Classes of storage formats, built in or from entry points of the group ``energysim.formats``."""


def get_format(text: str) -> StorageFormat:
    """Return the format written as ``name`` or ``name:key=value,key=value``.

    ``get_format(str(format)) == format``.

    Raises
    ------
    UnknownNameError
        If there is no format of this name.
    FormatError
        If a parameter is unknown, repeated, malformed or out of range.
    """
    name, colon, rest = text.partition(":")
    kind = FORMATS.get(name.strip())
    return cast(StorageFormat, kind(**parse_parameters(kind, rest)) if colon else kind())


def decode(data: bytes) -> Tensor:
    """Return the tensor of an encoding by any format: the bytes begin with the text of theirs.

    Raises
    ------
    FormatError
        If they do not, or do not decode.
    """
    try:
        found = get_format(spec_of(data))
    except EnergysimError as error:
        raise FormatError(f"the bytes name no usable storage format: {error}") from None
    return found.decode(data)
