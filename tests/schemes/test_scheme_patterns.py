"""Pattern files: what they mean, and that every mistake is told with its line and column."""

# ruff: noqa: E501  (messages stay on one line)

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.errors import EnergysimError, SchemeError
from energysim.schemes import parse_scheme
from energysim.schemes.patterns import Patterns, load_patterns
from energysim.schemes.psconv import PSConv
from energysim.zoo import load_model

GOOD = """\
schema: energysim-patterns/1
window: [3, 3]
slots:
  - [0, 1, 3, 4]
  - "010 111 010"
  - [8, 2]
  - []
"""


@pytest.fixture
def write(tmp_path):
    def write(content, name="p.yaml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_lists_and_pictures(write):
    path = write(GOOD)
    assert load_patterns(path) == Patterns((3, 3), ((0, 1, 3, 4), (1, 3, 4, 5, 7), (2, 8), ()), path)


@pytest.mark.parametrize(
    "text",
    [
        "{schema: energysim-patterns/1, window: [1, 3], slots: [[0], '011']}",
        "slots:\n- [0]\n- |\n  011\nwindow:\n- 1\n- 3\nschema: 'energysim-patterns/1'\n",
        "\ufeffschema: energysim-patterns/1\nwindow: [1, 3]\nslots: [&a [0], '  011 ']\n",
        "# a comment\n---\nschema: energysim-patterns/1\r\nwindow: [1, 3]\r\nslots: [[0], [2, 1]]\r\n...\n",
    ],
)
def test_any_way_to_write_it(write, text):
    found = load_patterns(write(text))
    assert (found.window, found.slots) == ((1, 3), ((0,), (1, 2)))


def test_pictures_may_stand_on_lines(write):
    text = "schema: energysim-patterns/1\nwindow: [2, 3]\nslots:\n  - |\n    011\n    100\n  - 111 000\n"
    assert load_patterns(write(text)).slots == ((1, 2, 3), (0, 1, 2))


def test_a_path_object(tmp_path, write):
    write(GOOD)
    assert load_patterns(tmp_path / "p.yaml") == load_patterns(str(tmp_path / "p.yaml"))


def test_scheme_of_a_file(write):
    path = write(GOOD)
    scheme = parse_scheme(f"psconv:patterns={path}")
    assert str(scheme) == f"psconv:patterns={path}"
    assert parse_scheme(str(scheme)) == scheme
    assert parse_scheme(f"features.*=psconv:patterns={path}; *=dense").rules[0][1] == scheme
    other = parse_scheme(f"psconv:patterns={write(GOOD, 'q=1:2.yaml')}")
    assert other == scheme  # equal by content
    assert hash(other) == hash(scheme)
    assert str(other) != str(scheme)
    rewrite = scheme.apply(load_model("vgg16-cifar10"))
    kernel = rewrite.graph.node("features.conv1_2").op.kernel
    assert np.flatnonzero(kernel.mask()[0, 0]).tolist() == [1, 3, 4, 5, 7]  # slot 1
    assert np.flatnonzero(kernel.mask()[1, 1]).tolist() == []  # slot 3
    assert np.flatnonzero(kernel.mask()[3, 0]).tolist() == [0, 1, 3, 4]  # slot 0
    assert rewrite.assumed == ()


def test_the_built_in_patterns_written_down(write):
    """A file with the slots of PSD4_P8 gives the kernels of PSD4_P8."""
    corners = '"110 110 000"\n', '"011 011 000"\n', '"000 110 110"\n', '"000 011 011"\n'
    slots = "".join(f"  - {slot}" for slot in ('"111 111 111"\n', *corners, *corners[:3]))
    text = f"schema: energysim-patterns/1\nwindow: [3, 3]\nslots:\n{slots}"
    graph = load_model("vgg16-cifar10")
    given = parse_scheme(f"psconv:patterns={write(text)}").apply(graph)
    assert given.graph.nodes == parse_scheme("psconv:PSD4_P8").apply(graph).graph.nodes


HEAD = "schema: energysim-patterns/1\nwindow: [3, 3]\n"
TOP = "schema: energysim-patterns/1\n"
ERRORS = [
    ("", ":1:1: the file is empty; expected the keys schema, window, slots"),
    ("# nothing\n\n", ":1:1: the file is empty"),
    ("---\n", ": expected schema, window, slots, got nothing"),
    ("just text", ":1:1: expected schema, window, slots, got 'just text'"),
    ("[1, 2]", ":1:1: expected schema, window, slots, got a list"),
    ("a: [1", ":1:6: not valid YAML:"),
    ("a: b: c", "not valid YAML:"),
    ("schema: energysim-patterns/2\nwindow: [3, 3]\nslots: [[0]]", ":1:9: schema: expected energysim-patterns/1"),
    ("schema: 1\nwindow: [3, 3]\nslots: [[0]]", ":1:9: schema: expected energysim-patterns/1, got 1"),
    ("window: [3, 3]\nslots: [[0]]", ":1:1: schema: missing"),
    (TOP + "slots: [[0]]", ":1:1: window: missing"),
    (HEAD, ":1:1: slots: missing"),
    (HEAD + "slot: [[0]]", ":3:1: unknown key 'slot'; did you mean 'slots'?"),
    (HEAD + "slots: [[0]]\nqqqq: 1", ":4:1: unknown key 'qqqq'; expected schema, window, slots"),
    (HEAD + "slots: [[0]]\nslots: [[1]]", ":4:1: slots: duplicate key 'slots', first given on line 3"),
    (HEAD + "slots: [[0]]\n1: 2", ":4:1: unknown key '1'"),
    (TOP + "window: 3x3\nslots: [[0]]", ":2:9: window: expected two whole numbers from 1 to 32, rows and columns"),
    (TOP + "window: [3]\nslots: [[0]]", ":2:9: window: expected two whole numbers"),
    (TOP + "window: [3, 3, 3]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: [0, 3]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: [3, 33]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: [true, 3]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: [3.0, 3]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: ['3', 3]\nslots: [[0]]", ":2:9: window:"),
    (TOP + "window: [" + "9" * 5000 + ", 3]\nslots: [[0]]", ":2:9: window:"),
    (HEAD + "slots: []", ":3:8: slots: expected a list of 1 to 64 patterns, got 0 patterns"),
    (HEAD + "slots: [" + "[0]," * 65 + "]", ":3:8: slots: expected a list of 1 to 64 patterns, got 65 patterns"),
    (HEAD + "slots: 5", ":3:8: slots: expected a list of 1 to 64 patterns, got 5"),
    (HEAD + "slots: {0: [1]}", ":3:8: slots: expected a list of 1 to 64 patterns, got a mapping"),
    (HEAD + "slots:", "slots: expected a list of 1 to 64 patterns, got nothing"),
    (HEAD + "slots: [[], '000 000 000']", ":3:8: slots: no slot keeps any position: no weight would be left"),
    (HEAD + "slots: [[0], 5]", ":3:14: slots[1]: expected a list of positions, or a picture in quotes, got 5"),
    (HEAD + "slots: [{a: 1}]", ":3:9: slots[0]: expected a list of positions, or a picture in quotes"),
    (HEAD + "slots:\n- [0, 9]", ":4:7: slots[0]: a position in a 3x3 window is a whole number from 0 to 8, not 9"),
    (HEAD + "slots: [[-1]]", ":3:10: slots[0]: a position in a 3x3 window"),
    (HEAD + "slots: [[true]]", "not true"),
    (HEAD + "slots: [[1.0]]", "not 1.0"),
    (HEAD + "slots: [['1']]", "not '1'"),
    (HEAD + "slots: [[[1]]]", "not a list"),
    (HEAD + "slots: [[~]]", "not nothing"),
    (HEAD + "slots: [[0, 1, 0]]", ":3:16: slots[0]: position 0 is listed twice"),
    (HEAD + "slots: ['011 011']", ":3:9: slots[0]: a picture has 3 words of 3 digits 0 or 1, not '011 011'"),
    (HEAD + "slots: ['011 011 02']", "a picture has 3 words"),
    (HEAD + "slots: ['011 011 012']", "a picture has 3 words"),
    (HEAD + "slots: ['']", "a picture has 3 words"),
    (HEAD + "slots: ['\u0661\u0660\u0660 000 000']", "a picture has 3 words"),
    (TOP + "window: [1, 3]\nslots: [011]", "slots[0]: expected a list of positions, or a picture in quotes, got"),
    (HEAD + "slots: !!python/object:os.system [0]", "is not supported"),
    (HEAD + "slots: [*a]", "the alias *a has no finished anchor"),
    (HEAD + "slots: [[0]]\n---\na: 1", "a second document begins"),
    (HEAD + "slots: [[0]]\n<<: {}", "merge keys"),
    (b"\xff\xfe\x00", "cannot be read: "),
    (b"\x7fELF\x00\x00", "not valid YAML"),
    (HEAD.encode() + b"slots: [[0]] # \xe9", "cannot be read: 'utf-8' codec can't decode"),
    (b"a" * 300_000, "larger than 256 KiB"),
    ("[" * 5000, "nested more than 32 deep"),
    ("{a: " * 5000, "nested more than 32 deep"),
    (
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in
        zip("abcdefgh", "bcdefghi", strict=True)), "values, aliases expanded",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[ascii(text[-25:]) for text, _ in ERRORS])
def test_mistakes(write, text, message):
    path = write(text)
    with pytest.raises(SchemeError) as caught:
        parse_scheme(f"psconv:patterns={path}")
    assert message in str(caught.value)
    assert path in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_all_mistakes_at_once(write):
    path = write("schema: energysim-patterns/3\nwindow: [3, 3]\nslots:\n- [0, 9, 0]\n- '111'\n- 4\nslot: 1\n")
    with pytest.raises(SchemeError) as caught:
        load_patterns(path)
    assert str(caught.value).splitlines() == [
        f"{path}:1:9: schema: expected energysim-patterns/1, got 'energysim-patterns/3'",
        f"{path}:4:7: slots[0]: a position in a 3x3 window is a whole number from 0 to 8, not 9",
        f"{path}:4:10: slots[0]: position 0 is listed twice",
        f"{path}:5:3: slots[1]: a picture has 3 words of 3 digits 0 or 1, not '111'",
        f"{path}:6:3: slots[2]: expected a list of positions, or a picture in quotes, got 4",
        f"{path}:7:1: unknown key 'slot'; did you mean 'slots'?",
    ]


@pytest.mark.parametrize("name", ["no/such.yaml", "a\0b", "\ud800", ".", "x" * 5000, ""])
def test_files_that_cannot_be_read(name):
    with pytest.raises(SchemeError, match="cannot be read: "):
        load_patterns(name)


@pytest.mark.parametrize("name", ["a,b.yaml", "a;b.yaml", " a.yaml", "a.yaml ", "a\nb.yaml"])
def test_names_that_a_scheme_string_cannot_hold(write, name):
    path = write(GOOD, name)
    with pytest.raises(SchemeError, match="a scheme cannot name a file with"):
        load_patterns(path if name != " a.yaml" else name)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no endless file here")  # noqa: PTH110
def test_an_endless_file():
    with pytest.raises(SchemeError, match="larger than 256 KiB"):
        load_patterns("/dev/zero")


windows = st.tuples(st.integers(1, 7), st.integers(1, 7))


@st.composite
def valid(draw):
    """Patterns, and a file that says so, each slot written as a list or a picture."""
    rows, cols = draw(windows)
    subsets = st.sets(st.integers(0, rows * cols - 1)).map(lambda s: tuple(sorted(s)))
    slots = draw(st.lists(subsets, min_size=1, max_size=12).filter(any))
    lines = []
    for slot in slots:
        if draw(st.booleans()):
            lines.append(f"  - {draw(st.permutations(list(slot)))}")
        else:
            cells = "".join("01"[i in slot] for i in range(rows * cols))
            picture = " ".join(cells[i : i + cols] for i in range(0, rows * cols, cols))
            lines.append(f"  - '{picture}'")
    return Patterns((rows, cols), tuple(slots), ""), "\n".join(
        ["schema: energysim-patterns/1", f"window: [{rows}, {cols}]", "slots:", *lines, ""]
    )


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(valid())
def test_what_a_file_says(write, drawn):
    patterns, text = drawn
    found = load_patterns(write(text))
    assert found == patterns
    assert PSConv(patterns=found) == PSConv(patterns=patterns)


TOKENS = [
    *"[]{},:-&*!|>'\"%@`#?~\n\t\0\u0664\u2028\ufeff\x85",
    *("true", "null", "1.5", "-1", "9" * 50, "1e999", ".nan", "---", "...", "<<: ", "&a ", "*a", "!!int "),
    *(
        "schema: ",
        "window: ",
        "slots: ",
        "- ",
        "[3, 3]",
        "'011 011 000'",
        "[[",
        "]]",
        "\n  - ",
        "%YAML 1.1\n",
    ),
]


def survives(path, data):
    path.write_bytes(data)
    try:
        found = load_patterns(str(path))
    except SchemeError as error:
        assert str(path) in str(error)
        return
    rows, cols = found.window
    assert 1 <= len(found.slots) <= 64
    assert any(found.slots)
    assert all(list(slot) == sorted(set(slot)) for slot in found.slots)
    assert all(0 <= tap < rows * cols for slot in found.slots for tap in slot)


def test_damaged_files(tmp_path):
    rng = random.Random(2020)
    data = GOOD.encode()
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(broken) + 1)
            upto = min(len(broken), at + rng.choice([0, 0, 1, 2, 8]))
            token = rng.choice(TOKENS).encode() if rng.random() < 0.8 else bytes([rng.randrange(256)])
            broken[at:upto] = rng.choice([token, token, b""])
        survives(tmp_path / "p.yaml", bytes(broken))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), st.lists(st.sampled_from(TOKENS)).map(lambda t: "".join(t).encode())))
def test_any_bytes(tmp_path, data):
    survives(tmp_path / "p.yaml", data)


def test_errors_cross_processes(write):
    import pickle

    with pytest.raises(EnergysimError) as caught:
        load_patterns(write("a: 1"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
