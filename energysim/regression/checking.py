"""The gate: baselines recomputed and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from energysim.errors import EnergysimError, UsageError
from energysim.regression.baseline import Baseline
from energysim.regression.baseline_json import read_baseline
from energysim.regression.comparison import Comparison, compare
from energysim.regression.engine import engine_digests
from energysim.regression.files import meant_files
from energysim.regression.taking import take
from energysim.regression.tolerances import Tolerance, need_matches

__all__ = ["CheckResult", "check", "check_all", "recomputed"]


@dataclass(frozen=True)
class CheckResult:
    """What came of one baseline.

    Attributes
    ----------
    path : Path
    comparison : Comparison or None
        None if it could not be checked.
    error : str
        Why not.
    """

    path: Path
    comparison: Comparison | None
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was checked and every number is what it may be."""
        return self.comparison is not None and self.comparison.passed


def recomputed(path: Path, old: Baseline, engine: bool = True) -> Baseline:
    """Return what a baseline's recipe makes now, with the recipe as the file has it.

    Raises
    ------
    EnergysimError
        If it has none, a file of it is not there, or anything in it cannot be estimated.
    """
    if old.recipe is None:
        raise UsageError(
            f"{path}: made from a report, so nothing says how to recompute it; if a test made it "
            "(fixture energy_baseline), that test checks it: run pytest"
        )
    recipe = old.recipe.found_from(path.parent, str(path))
    new = take(recipe, engine)
    if new.network != old.network:
        raise UsageError(
            f"{path}: a baseline of another network: its numbers are of {old.title}, "
            f"its recipe makes {new.title}"
        )
    return replace(new, recipe=old.recipe)


def check(path: str | Path, tolerances: Sequence[Tolerance] = ()) -> CheckResult:
    """Recompute one baseline and compare it.

    Parameters
    ----------
    path : str or Path
    tolerances : sequence of Tolerance
        By default counts must be equal and energies equal within a part in 10**9, both ways.

    Raises
    ------
    EnergysimError
        If the file is no baseline, cannot be recomputed, or a tolerance names none of its numbers.
    """
    found = _compared(Path(path), tolerances)
    need_matches(tolerances, found.numbers)
    return CheckResult(Path(path), found)


def _compared(path: Path, tolerances: Sequence[Tolerance]) -> Comparison:
    old = read_baseline(path)
    new = recomputed(path, old, engine=False)
    found = compare(old, new, tolerances)
    if found.changes:  # only now is it worth reading the source
        found = replace(found, new=replace(new, engine=engine_digests()))
    return found


def check_all(paths: Iterable[Path], tolerances: Sequence[Tolerance] = ()) -> list[CheckResult]:
    """Check several baselines; one that cannot be checked does not keep the others from it.

    Parameters
    ----------
    paths : iterable of Path
        Files, or folders of them. One that is not there, and a folder without any, is a result too.
    tolerances : sequence of Tolerance

    Raises
    ------
    UsageError
        If a tolerance names no number of any of them, and all of them could be checked: it may be
        meant for one that could not.
    """
    results = [
        CheckResult(path, None, problem) if problem else _checked(path, tolerances)
        for path, problem in meant_files(paths).items()
    ]
    numbers: dict[str, dict[str, None]] = {}
    for result in results:
        if result.comparison is None:
            return results
        for layer, columns in result.comparison.numbers.items():
            numbers.setdefault(layer, {}).update(dict.fromkeys(columns))
    need_matches(tolerances, numbers)
    return results


def _checked(path: Path, tolerances: Sequence[Tolerance]) -> CheckResult:
    try:
        return CheckResult(path, _compared(path, tolerances))
    except EnergysimError as error:
        text = str(error)
    except OSError as error:  # a file of its recipe that went away, or that may not be looked at
        text = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return CheckResult(path, None, text if text.startswith(str(path)) else f"{path}: {text}")
