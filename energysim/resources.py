"""The one locator of data that travels with the package: ``models/`` and ``hwspecs/``.

In a wheel they lie inside the package; in a checkout beside it. Everything that needs a
file of theirs asks here, so both layouts work alike.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["data_folder"]


def data_folder(name: str) -> Path:
    """Return the folder of shipped data.

    Parameters
    ----------
    name : {"models", "hwspecs"}

    Returns
    -------
    pathlib.Path
        ``energysim/<name>`` of the installed package if it exists, else the sibling folder
        of the checkout (recognised by its ``setup.cfg``).

    Raises
    ------
    FileNotFoundError
        If neither exists: the installation is broken.
    """
    package = Path(__file__).resolve().parent
    inside = package / name
    if inside.is_dir():
        return inside
    beside = package.parent / name
    if beside.is_dir() and (package.parent / "setup.cfg").is_file():
        return beside
    raise FileNotFoundError(f"the installation lacks its {name!r} folder")
