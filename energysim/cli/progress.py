"""Progress of long runs: on stderr, and only if somebody is looking."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

__all__ = ["Progress"]

#: Seconds between two changes of the line.
_PAUSE = 0.2
_WIDTH = 78


class Progress:
    """A line of a terminal that is written over, and wiped at the end whatever happens."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._last = 0.0
        self._used = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wipe()

    def step(self, what: str, done: int, total: int) -> None:
        """Show how far it is; not more often than one can read."""
        now = time.monotonic()
        if not self._shown or now - self._last < _PAUSE:
            return
        self._last, self._used = now, True
        line = f"{100 * done // max(1, total):3d} %  {what}"[:_WIDTH]
        click.echo(f"\r{line:{_WIDTH}}", err=True, nl=False)

    def tell(self, message: str) -> None:
        """Write a line that stays."""
        self._wipe()
        click.echo(message, err=True)

    def _wipe(self) -> None:
        if self._used:
            click.echo(f"\r{'':{_WIDTH}}\r", err=True, nl=False)
            self._used = False
