"""The whole network with one set of weights: outputs and answers."""

from __future__ import annotations

from energysim.validate.execute import Outcome
from energysim.validate.result import Trial

__all__ = ["trial"]


def trial(weights: str, outcome: Outcome, tolerance: float) -> Trial:
    """Return what a run from end to end shows.

    Two forms may name different classes only where the reference itself holds them closer together
    than the tolerance allows its outputs to be wrong.
    """
    problems = [] if outcome.output.meaningless is None else [outcome.output.meaningless]
    wrong = outcome.output.problem(tolerance)
    if wrong is not None:
        problems.append(wrong)
    answers = outcome.answers
    if answers is None:
        return Trial(
            weights, outcome.output.largest, outcome.output.relative, None, None, None, None, tuple(problems)
        )
    near = 2 * tolerance * outcome.output.deviation
    for what, same, margin in (
        ("first class", answers.top1_same, answers.top1_margin),
        ("five best classes", answers.top5_same, answers.top5_margin),
    ):
        if same < answers.images and not margin <= near:
            problems.append(f"the {what} differ on {answers.images - same} of {answers.images} images")
    known = answers.labelled > 0
    return Trial(
        weights,
        outcome.output.largest,
        outcome.output.relative,
        answers.top1_same,
        answers.top5_same,
        answers.top1_correct if known else None,
        answers.top5_correct if known else None,
        tuple(problems),
    )
