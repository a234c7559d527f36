"""Where a hardware specification lies: shipped, of an installed package, or a file."""

from __future__ import annotations

import os
from pathlib import Path

from energysim.errors import EnergysimError, UnknownNameError
from energysim.hardware.core import Hardware
from energysim.registry import Registry
from energysim.resources import data_folder

__all__ = ["hardware_names", "located"]

_PLUGINS = Registry("hardware", "energysim.hardware", {})


def hardware_names() -> list[str]:
    """Return the names of all specifications, shipped and of installed packages, sorted."""
    return sorted({*_shipped(), *(info.name for info in _PLUGINS.list())})


def located(name: str, folder: Path | None = None) -> Path | Hardware:
    """Return the file of a name or path, or what an installed package gives for the name.

    Parameters
    ----------
    name : str
        A path if it contains a separator or ends in ``.yaml`` or ``.yml``.
    folder : path, optional
        What relative paths are relative to.

    Raises
    ------
    UnknownNameError
        If nothing has this name.
    """
    if "/" in name or os.sep in name or name.lower().endswith((".yaml", ".yml")):
        return folder / name if folder else Path(name)
    shipped = _shipped()
    if name in shipped:
        return shipped[name]
    try:
        found = _PLUGINS.get(name)
    except UnknownNameError:
        raise UnknownNameError("hardware", name, hardware_names()) from None
    if callable(found):
        found = found()
    if isinstance(found, str | os.PathLike):
        return Path(found)
    if not isinstance(found, Hardware):
        raise EnergysimError(
            f"the entry point {name!r} gives a {type(found).__name__}; expected a path or a Hardware"
        )
    return found


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in data_folder("hwspecs").glob("*.yaml")}
