"""Storage encodings of tensors with zeros: exact bytes, exact sizes, expected sizes, sizes of tiles."""

from energysim.formats.base import BaseFormat
from energysim.formats.bits import bits_for
from energysim.formats.catalog import FORMATS, decode, get_format
from energysim.formats.layout import WeightLayout, iid_layout, layout_of
from energysim.formats.protocol import Encoded, StorageFormat, StorageSize
from energysim.formats.slots import kernels_per_slot

__all__ = [
    "FORMATS",
    "BaseFormat",
    "Encoded",
    "StorageFormat",
    "StorageSize",
    "WeightLayout",
    "bits_for",
    "decode",
    "get_format",
    "iid_layout",
    "kernels_per_slot",
    "layout_of",
]
