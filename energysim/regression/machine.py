"""Checks and comparisons for programs: JSON, JUnit, and the annotations of GitHub."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from energysim.regression.checking import CheckResult
from energysim.regression.comparison import Change, Comparison
from energysim.regression.words import causes, change_text, grouped, verdict, whole_verdict

__all__ = ["check_json", "diff_json", "github_annotations", "junit"]

#: GitHub shows ten annotations of a kind per step: nine, and the one that sums them up.
_ANNOTATIONS = 9

#: What no XML 1.0 document may hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _change(change: Change) -> dict[str, Any]:
    return {
        "scheme": change.scheme,
        "layer": change.layer,
        "level": change.level,
        "quantity": change.quantity,
        "old": change.old,
        "new": change.new,
        "percent": change.percent,
        "allowed": change.allowed,
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "of": found.old.title,
        "passed": found.passed,
        "verdict": verdict(found),
        "cause": found.cause,
        "inputs": [{"section": c.section, "key": c.key, "old": c.old, "new": c.new} for c in found.inputs],
        "engine": list(found.engine),
        "schemes_gone": list(found.schemes_gone),
        "schemes_new": list(found.schemes_new),
        "totals": [_change(change) for change in found.totals],
        "changes": [_change(change) for change in found.moved],
    }


def check_json(results: Sequence[CheckResult]) -> str:
    """Return all that a check found."""
    each = []
    for result in results:
        entry: dict[str, Any] = {"baseline": result.path.as_posix()}
        if result.comparison is None:
            entry |= {"passed": False, "error": result.error}
        else:
            entry |= _comparison(result.comparison)
        each.append(entry)
    data = {"schema": "energysim-check/1", "passed": all(r.passed for r in results), "baselines": each}
    return json.dumps(data, indent=1) + "\n"


def diff_json(found: Comparison, names: tuple[str, str]) -> str:
    """Return all that two files differ in."""
    data = {"schema": "energysim-diff/1", "old": names[0], "new": names[1], **_comparison(found)}
    return json.dumps(data, indent=1) + "\n"


def junit(results: Sequence[CheckResult]) -> str:
    """Return a JUnit document: a test case per baseline."""
    failed = sum(r.comparison is not None and not r.passed for r in results)
    errors = sum(r.comparison is None for r in results)
    counts = f'tests="{len(results)}" failures="{failed}" errors="{errors}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>"]
    lines.append(f'<testsuite name="energysim check" {counts}>')
    for result in results:
        lines.append(f'<testcase classname="energysim.check" name={_attribute(result.path.as_posix())}>')
        if result.comparison is None:
            lines.append(f"<error message={_attribute(result.error)}/>")
        elif not result.passed:
            found = result.comparison
            told = [*causes(found), *map(change_text, grouped(found.failing, len(found.old.table)))]
            message = _attribute(verdict(found))
            lines.append(f"<failure message={message}>{escape(_xml(chr(10).join(told)))}</failure>")
        lines.append("</testcase>")
    return "\n".join([*lines, "</testsuite>", "</testsuites>"]) + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def github_annotations(results: Sequence[CheckResult]) -> str:
    """Return commands of a GitHub workflow: at most nine annotations, and one that sums up.

    Baselines that cannot be checked come first, then the largest changes, taken in turn from each.
    """
    told = [(r, r.error) for r in results if r.comparison is None]
    queues = [
        [(r, change_text(c)) for c in grouped(r.comparison.failing, len(r.comparison.old.table))]
        for r in results
        if r.comparison is not None and not r.passed
    ]
    while any(queues) and len(told) < _ANNOTATIONS:
        told += [queue.pop(0) for queue in queues if queue]
    lines = [
        f"::error file={_property(r.path.as_posix())},title={_property(_title(r))}::{_data(text)}"
        for r, text in told[:_ANNOTATIONS]
    ]
    kind = "notice" if all(r.passed for r in results) else "error"
    lines.append(f"::{kind} title=energysim check::{_data(_summed(results))}")
    return "\n".join(lines) + "\n"


def _title(result: CheckResult) -> str:
    return result.comparison.old.title if result.comparison else "energysim check"


def _summed(results: Sequence[CheckResult]) -> str:
    told = [f"{r.path.as_posix()}: {verdict(r.comparison)}" for r in results if r.comparison and not r.passed]
    return "\n".join([whole_verdict(results), *told])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
