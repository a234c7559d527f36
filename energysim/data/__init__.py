"""Inputs: random images, handwritten digits, and files, checked against the network that is to take them."""

from energysim.data.base import Data, batch_size, classes_of
from energysim.data.digits import SPLITS, digits_split
from energysim.data.load import load_data
from energysim.data.normalise import Normalisation, read_normalisation

__all__ = [
    "SPLITS",
    "Data",
    "Normalisation",
    "batch_size",
    "classes_of",
    "digits_split",
    "load_data",
    "read_normalisation",
]
