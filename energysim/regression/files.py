"""Which files are meant, and what they are: baselines, or saved reports."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR

from energysim.errors import UsageError
from energysim.hardware import hardware_names
from energysim.regression.baseline import Baseline
from energysim.regression.baseline_json import parse_baseline, read_json_text
from energysim.regression.taking import of_report
from energysim.report import Report
from energysim.zoo import model_names

__all__ = ["baseline_files", "meant_files", "missing", "read_either"]


def baseline_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files meant by paths, folders replaced by the JSON files in them, each once.

    Raises
    ------
    UsageError
        If a file is not there, with the command that creates it, or a folder holds none; for all of
        them at once.
    """
    found = meant_files(paths)
    problems = [problem for problem in found.values() if problem]
    if problems:
        raise UsageError("\n".join(problems))
    return list(found)


def meant_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the files meant by paths as :func:`baseline_files` does, and what is wrong with each.

    Nothing is said of a file that is there, whatever it holds: reading it tells. A folder that holds
    none, or that cannot be listed, stands for itself.
    """
    found: dict[Path, str] = {}
    for path in paths:
        try:
            found.update(_inside(path) if S_ISDIR(path.stat().st_mode) else {path: ""})
        except (FileNotFoundError, NotADirectoryError):
            found[path] = missing(path)
        except (OSError, ValueError) as error:
            found[path] = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
    return found


def _inside(folder: Path) -> dict[Path, str]:
    files = sorted(path for path in folder.iterdir() if path.name.endswith(".json"))
    none = f"{folder}: no baseline (*.json) in this folder; {_create(folder / 'NAME.json')}"
    return dict.fromkeys(files, "") or {folder: none}


def missing(path: Path) -> str:
    """Return what to say of a baseline that is not there: the command that creates it."""
    return f"{path}: no such baseline; {_create(path)}"


def _create(path: Path) -> str:
    stem = path.stem
    if stem.startswith("unit-") and stem.removeprefix("unit-") in hardware_names():
        return f"create it: energysim baseline create --hardware {stem.removeprefix('unit-')} -o {path}"
    for model in model_names():
        for hardware in hardware_names():
            if stem == f"{model}-{hardware}":
                return f"create it: energysim baseline create {model} --hardware {hardware} -o {path}"
    return f"create it: energysim baseline create MODEL --hardware HARDWARE --sparsity SCHEMES -o {path}"


def read_either(path: Path) -> Baseline:
    """Return the baseline of a file, or that of the report in it.

    Raises
    ------
    UsageError
        If it is neither.
    """
    text = read_json_text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: neither a baseline nor a report: {error}") from None
    if isinstance(data, dict) and "schema_version" in data:
        try:
            return of_report(Report.from_json(text))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
    return parse_baseline(text, str(path))
