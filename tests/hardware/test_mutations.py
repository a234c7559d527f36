"""However a file is damaged, only our own error comes out, or valid hardware."""

# ruff: noqa: E501  (messages and YAML lines stay on one line)

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.errors import SpecError
from energysim.hardware import Hardware, load_hardware

from .base import BASE

SPECS = Path(__file__).parents[2] / "hwspecs"
TOKENS = [
    "-1 pJ", "1e999 pJ", "0", "-0", "true", "null", "~", ".inf", ".nan", "1e400", "[]", "{}", "[[", "}}", ": :",
    "&a", "*a", "<<", "!!int", "---", "...", "%YAML 1.1", "%TAG", "|", ">", "\t", "'", '"', "\\", "\\ud800", "#",
    "?", "- -", ",", "9" * 50, "0x1F", "0o7", "1_000", "12:30:45", "2020-01-01", "\u00a0", "\u2028", "\ufeff", "\x85",
    "\U0001f600", "energy_table", "sources", "assumed", "extends: edge45", "extends: ./x.yaml", "pJ", "1 KiB",
]  # fmt: skip


def survives(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        assert isinstance(load_hardware(path), Hardware)
    except SpecError as error:
        text = str(error)
        assert text and "Traceback" not in text
        assert all(line.startswith(str(path)) or "hwspecs" in line for line in text.split("\n")), text


def mutated(text: str, rng: random.Random) -> bytes:
    """Return a text after one to three small accidents."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        lines = text.split("\n")
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        words = lines[i].split(" ")
        k = rng.randrange(len(words))
        action = rng.randrange(8)
        if action == 0:
            del lines[i]
        elif action == 1:
            lines.insert(j, lines[i])
        elif action == 2:
            lines[i], lines[j] = lines[j], lines[i]
        elif action == 3:
            lines[i] = " " * rng.randrange(8) + lines[i].lstrip()
        elif action == 4:
            words[k] = rng.choice(TOKENS)
            lines[i] = " ".join(words)
        elif action == 5:
            lines[i] = lines[i][: rng.randrange(len(lines[i]) + 1)]
        elif action == 6:
            at = rng.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:at] + rng.choice(TOKENS) + lines[i][at:]
        else:
            words[k] = "".join(rng.sample(words[k], len(words[k])))
            lines[i] = " ".join(words)
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("block", range(8))
def test_accidents_with_lines_and_words(tmp_path: Path, block: int) -> None:
    rng = random.Random(block)
    for _ in range(120):
        survives(tmp_path / "x.yaml", mutated(BASE, rng))


@pytest.mark.parametrize("name", ["edge45", "eyeriss", "teaching"])
def test_accidents_with_shipped_files(tmp_path: Path, name: str) -> None:
    rng = random.Random(name)
    text = (SPECS / f"{name}.yaml").read_text()
    for _ in range(60):
        survives(tmp_path / "x.yaml", mutated(text, rng))


FAST = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)


@FAST
@given(place=st.integers(0, len(BASE)), length=st.integers(0, 5), new=st.binary(max_size=6))
def test_accidents_with_bytes(tmp_path: Path, place: int, length: int, new: bytes) -> None:
    data = BASE.encode()
    survives(tmp_path / "x.yaml", data[:place] + new + data[place + length :])


@FAST
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    survives(tmp_path / "x.yaml", data)


YAMLISH = st.text(alphabet=":-[]{}\"'&*!|>%@`#?, \n\tab1.\\\u0085\u2028", max_size=40)


@FAST
@given(YAMLISH)
def test_any_punctuation(tmp_path: Path, text: str) -> None:
    survives(tmp_path / "x.yaml", ("schema: energysim-hardware/1\n" + text).encode())


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(TOKENS)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["value", "source", "kind", "read", "capacity", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=5,
)


@FAST
@given(
    key=st.sampled_from([line.split(":")[0] for line in BASE.split("\n") if line and line[0] != " "]),
    value=VALUES,
)
def test_any_value_under_any_key(tmp_path: Path, key: str, value: object) -> None:
    import json

    lines, skip = [], False
    for line in BASE.split("\n"):
        skip = line.startswith(" ") and skip
        if line.startswith(f"{key}:"):
            lines.append(f"{key}: {json.dumps(value)}")
            skip = True
        elif not skip:
            lines.append(line)
    survives(tmp_path / "x.yaml", "\n".join(lines).encode())
