"""Rules by name."""

from __future__ import annotations

import pytest

from energysim.errors import UsageError
from energysim.mapping import PRESETS, RULE_VALUES, Rules, parse_rules


def test_presets_and_pairs() -> None:
    assert parse_rules("default") == Rules()
    assert parse_rules("timeloop") == PRESETS["timeloop"]
    assert parse_rules("timeloop, tiles=all").tiles == "all"
    assert parse_rules("overlap=none", PRESETS["timeloop"]).padding == "fetched"
    for rules in PRESETS.values():
        assert parse_rules(str(rules)) == rules


def test_the_first_value_is_the_default() -> None:
    assert Rules() == Rules(**{name: next(iter(values)) for name, (_, values) in RULE_VALUES.items()})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timelop", "unknown rule set 'timelop'.*timeloop"),
        ("tile=all", "unknown rule 'tile'.*tiles"),
        ("tiles=al", "rule 'tiles' takes all or divisors, not 'al'"),
        ("", "unknown rule set ''"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_rules(text)
