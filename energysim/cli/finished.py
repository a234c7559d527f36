"""Finished reports as arguments of commands, in the place of a model and its options."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from energysim.report import Report

__all__ = ["given", "is_report", "read_report", "refuse_estimate_options"]


def given(name: str) -> bool:
    """Return whether an option of the running command was written, and is not only its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def is_report(name: str) -> bool:
    """Return whether an argument means a report in a file: its name ends in ``.json``."""
    return name.lower().endswith(".json")


def read_report(path: str | Path) -> Report:
    """Return the report that ``estimate -o FILE.json`` has written; raise UsageError for anything else."""
    from energysim.errors import UsageError
    from energysim.report import Report

    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        return Report.from_json(text)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def refuse_estimate_options(kept: Collection[str]) -> None:
    """Raise UsageError for an option that was written and is not kept: finished reports take none."""
    from energysim.errors import UsageError

    for parameter in click.get_current_context().command.params:
        name = parameter.name or ""
        if name not in kept and given(name):
            raise UsageError(f"{parameter.opts[0]} is of an estimate; the report in MODEL is finished")
