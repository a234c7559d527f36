"""From a name or a file to a `Hardware`."""

from __future__ import annotations

import os
from pathlib import Path

from energysim.hardware.core import Hardware
from energysim.hardware.names import located

__all__ = ["hardware_schema", "load_hardware"]


def load_hardware(name_or_path: str | os.PathLike[str]) -> Hardware:
    """Return a piece of hardware.

    Parameters
    ----------
    name_or_path : str or path
        A shipped name (``"edge45"``), a name that an installed package offers (entry points
        ``energysim.hardware``, each a path, a `Hardware`, or a function that returns one), or
        a YAML file: whatever contains a separator or ends in ``.yaml`` or ``.yml``.

    Raises
    ------
    UnknownNameError
        If no specification has this name; offers the nearest one.
    SpecError
        If the file cannot be used. All its errors at once, a line each:
        ``file:line:column: path: what is wrong``.
    """
    if isinstance(name_or_path, str):
        found = located(name_or_path)
        if isinstance(found, Hardware):
            return found
        name_or_path = found
    # Only now: pydantic-core and ruamel.yaml cost more to import than everything else here.
    from energysim.hardware.build import build
    from energysim.hardware.reading import read_spec

    return build(read_spec(Path(name_or_path)))


def hardware_schema() -> dict[str, object]:
    """Return the JSON schema (draft 2020-12) of a hardware file, for editors."""
    from energysim.hardware.schema import json_schema

    return json_schema()
