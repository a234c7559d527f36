from __future__ import annotations

from pathlib import Path

import pytest

from energysim.hardware import load_hardware
from energysim.hardware.hierarchy import HierarchyHardware

#: The two levels of ``teaching``, as a hierarchy.
TWO_LEVELS = """\
schema: energysim-hardware/1
name: two
extends: teaching
cost_model: hierarchy
array: null
levels:
  - name: dram
    word_bits: 16
    read: {value: 200 pJ, source: isca, kind: published}
    write: {value: 200 pJ, source: isca, kind: published}
  - name: buffer
    capacity: 108 KiB
    word_bits: 16
    read: {value: 6 pJ, source: isca, kind: published}
    write: {value: 6 pJ, source: isca, kind: published}
"""


@pytest.fixture(scope="session")
def two_levels(tmp_path_factory: pytest.TempPathFactory) -> HierarchyHardware:
    """DRAM 200, buffer of 108 KiB 6, MAC 1, 16-bit words."""
    path: Path = tmp_path_factory.mktemp("specs") / "two.yaml"
    path.write_text(TWO_LEVELS)
    found = load_hardware(path)
    assert isinstance(found, HierarchyHardware)
    return found
