"""Plug-in look-up by name: built-ins first, then entry points of installed packages.

Built-ins are named by ``"module:attribute"`` and imported on first use, so listing names
costs nothing; entry points are searched only for a name that is not built in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from energysim.errors import EnergysimError, UnknownNameError

__all__ = ["PluginInfo", "Registry"]


@dataclass(frozen=True)
class PluginInfo:
    """A name that can be looked up, and where it comes from."""

    name: str
    origin: str
    version: str


@dataclass(frozen=True)
class Registry:
    """Names of one kind of plug-in.

    Parameters
    ----------
    kind : str
        What one entry is, for messages: ``"scheme"``.
    group : str
        Entry-point group: ``"energysim.schemes"``.
    builtin : mapping of str to str
        Name to ``"module:attribute"``.
    """

    kind: str
    group: str
    builtin: Mapping[str, str]

    def get(self, name: str) -> Any:
        """Return the plug-in object.

        Raises
        ------
        UnknownNameError
            If no built-in and no entry point has this name; offers the nearest one.
        EnergysimError
            If an entry point exists but cannot be imported.
        """
        target = self.builtin.get(name)
        if target is not None:
            module, _, attribute = target.partition(":")
            return getattr(import_module(module), attribute)
        for point in self._entry_points():
            if point.name == name:
                try:
                    return point.load()
                except Exception as error:
                    origin = point.dist.name if point.dist else "an unknown package"
                    raise EnergysimError(
                        f"{self.kind} {name!r} of {origin} cannot be loaded: {type(error).__name__}: {error}"
                    ) from error
        raise UnknownNameError(self.kind, name, (info.name for info in self.list()))

    def list(self) -> list[PluginInfo]:
        """Return all names with their origin, built-ins first, each part sorted by name."""
        from energysim import __version__

        found = [PluginInfo(n, "energysim", __version__) for n in sorted(self.builtin)]
        for point in sorted(self._entry_points(), key=lambda p: p.name):
            if point.name not in self.builtin:
                origin = point.dist.name if point.dist else "?"
                version = point.dist.version if point.dist else "?"
                found.append(PluginInfo(point.name, origin, version))
        return found

    def _entry_points(self) -> Any:
        from importlib.metadata import entry_points

        return entry_points(group=self.group)
