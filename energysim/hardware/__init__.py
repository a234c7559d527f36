"""The hardware: specifications as YAML with every constant sourced, read into frozen values.

Importing this costs nothing; pydantic and ruamel.yaml are loaded with the first file.
"""

from energysim.hardware.core import (
    Array,
    Constant,
    Hardware,
    MemoryLevel,
    Partitions,
    RegisterAccesses,
    Reserve,
    ZeroHandling,
)
from energysim.hardware.describe import ConstantRow, describe_constants, describe_hardware
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis, TemporalLevel
from energysim.hardware.loader import hardware_schema, load_hardware
from energysim.hardware.names import hardware_names

__all__ = [
    "Array",
    "Constant",
    "ConstantRow",
    "Hardware",
    "Hierarchy",
    "HierarchyHardware",
    "MemoryLevel",
    "Partitions",
    "RegisterAccesses",
    "Reserve",
    "SpatialAxis",
    "TemporalLevel",
    "ZeroHandling",
    "describe_constants",
    "describe_hardware",
    "hardware_names",
    "hardware_schema",
    "load_hardware",
]
