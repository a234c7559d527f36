"""The proof: a network run in its compact form, against its dense equivalent and against the estimate.

>>> found = validate("resnet18-cifar10", "psconv")
>>> found.passed
True
"""

from energysim.validate.result import LayerCheck, SchemeCheck, Setup, Trial, Validation
from energysim.validate.run import NETWORK_FACTOR, TOLERANCE, validate

__all__ = [
    "NETWORK_FACTOR",
    "TOLERANCE",
    "LayerCheck",
    "SchemeCheck",
    "Setup",
    "Trial",
    "Validation",
    "validate",
]
