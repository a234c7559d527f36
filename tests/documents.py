"""Blocks of documents, and running them as a reader would: in the order shown, in one empty folder.

Comments right above a block say how it is run; none means: now, by everybody.

- ``<!-- slow -->``: with ``-m slow`` only.
- ``<!-- needs: onnx, sklearn -->``: where these modules are installed only.
- ``<!-- tested: tests/x.py -->``: by that file, which must name the document.
- ``<!-- not run: reason -->``: not at all; scripts it calls must exist.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from energysim.cli import main

HOME = Path(__file__).resolve().parent.parent

#: Comments of the README that CI and tests/test_readme.py look for.
_MARKERS = {
    "main command": "tested: .ci/run",
    "test command": "tested: .ci/run",
    "main output": "tested: tests/test_readme.py",
}
_FILE = re.compile(r"`([\w./-]+\.(?:py|yaml|yml|json|toml))`[^`]*:$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its document, line, language, content, the notes above it, the file it is."""

    page: str
    line: int
    language: str
    content: str
    notes: tuple[str, ...]
    file: str | None

    def note(self, key: str) -> str | None:
        """What the note says behind its key and a colon; empty if it is the key alone."""
        found = [note.partition(":") for note in self.notes]
        return next((text.strip() for name, _, text in found if name == key), None)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """All fenced blocks of a document, in order."""
    found, lines = [], path.read_text("utf-8").splitlines()
    start = None
    for number, line in enumerate(lines):
        if start is None and line.startswith("```"):
            start = number
        elif start is not None and line == "```":
            notes, file = _above(lines[:start])
            content = "".join(f"{text}\n" for text in lines[start + 1 : number])
            page = str(path.relative_to(HOME))
            found.append(Block(page, start + 1, lines[start][3:].strip(), content, notes, file))
            start = None
    assert start is None, f"{path}:{start}: a block that does not end"
    return found


def _above(lines: list[str]) -> tuple[tuple[str, ...], str | None]:
    """The notes and the name of a file right above a block."""
    notes: list[str] = []
    for line in reversed(lines):
        comment = re.fullmatch(r"<!-- (.*) -->", line)
        if comment:
            notes.insert(0, _MARKERS.get(comment[1], comment[1]))
        elif line:
            named = _FILE.search(line)
            return tuple(notes), named[1] if named else None
    return tuple(notes), None


def missing(block: Block) -> list[str]:
    """Modules that a block needs and that are not installed."""
    names = (block.note("needs") or "").split(",")
    return [name.strip() for name in names if name.strip() and importlib.util.find_spec(name.strip()) is None]


class Reader:
    """Somebody who does what a document shows, in the current folder."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {}
        self.printed = ""  # by all commands so far

    def follow(self, block: Block) -> None:
        """Do what a block shows: run it, write the file that it is, or look whether it was printed."""
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.content, "utf-8")
        match block.language:
            case "sh":
                for command in commands(block.content):
                    self._run(block, command, fails=False)
            case "console":
                for command, shown in prompts(block.content):
                    self._run(block, command, fails="energysim: " in shown)
                    self._compare(block, shown)
            case "text":
                self._compare(block, block.content)
            case "python":
                if not block.file:
                    with contextlib.redirect_stdout(io.StringIO()) as out:
                        exec(compile(block.content, str(block), "exec"), self.names)
                    self.printed = out.getvalue()
            case _:
                parse(block)

    def _run(self, block: Block, command: str, *, fails: bool) -> None:
        words = shlex.split(command, comments=True)
        if words[0] == "pip":
            check_install(block, words)
            return
        if words in (["python3", "-m", "venv", ".venv"], [".", ".venv/bin/activate"]):
            return  # the tests run in an environment already
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = self._start(block, words)
        self.printed = out.getvalue() + err.getvalue()
        assert bool(code) == fails, f"{block}: {command}\n{self.printed}"

    def _start(self, block: Block, words: list[str]) -> object:
        if words[0] == "python" and len(words) > 1 and words[1].endswith(".py"):
            exec(compile(Path(words[1]).read_text("utf-8"), words[1], "exec"), {"__name__": "__main__"})
            return 0
        if words[0] == "git":
            return git(*words[1:]).returncode
        assert words[0] == "energysim", f"{block}: what is to be done with {words[0]!r}?"
        try:
            main(words[1:])
        except SystemExit as ended:
            return ended.code
        return 0

    def _compare(self, block: Block, shown: str) -> None:
        """Lines shown were printed by the last command, in this order; ``...`` is what is left out."""
        real = iter([" ".join(line.split()) for line in self.printed.splitlines()])
        for shown_line in filter(None, shown.splitlines()):
            text = " ".join(shown_line.split())
            whole = re.compile(re.escape(text).replace(r"\.\.\.", ".*"))
            assert text == "..." or any(whole.fullmatch(line) for line in real), (
                f"{block}: not printed, or not in this order: {shown_line!r}\n{self.printed}"
            )


def git(*words: str) -> subprocess.CompletedProcess[str]:
    """Run git in the current folder, as nobody in particular and with nobody's settings."""
    who = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *words], env=environment, capture_output=True, text=True)


def commands(content: str) -> Iterator[str]:
    """The commands of a block, those over several lines put together."""
    for line in content.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def prompts(content: str) -> Iterator[tuple[str, str]]:
    """Commands behind ``$`` and what they print."""
    assert content.startswith("$ "), "a console block begins with a command: $ energysim ..."
    for part in re.split(r"(?m)^\$ ", content.replace("\\\n", " "))[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def parse(block: Block) -> None:
    """Read a block of data: it must be what its language says."""
    match block.language:
        case "json":
            json.loads(block.content)
        case "toml":
            tomllib.loads(block.content)
        case "yaml":
            YAML(typ="safe").load(block.content)
        case _:
            raise AssertionError(f"{block}: what is to be done with a block of {block.language!r}?")


def check_install(block: Block, words: list[str]) -> None:
    """What is installed exists: extras of this package, folders of this repository."""
    setup = configparser.ConfigParser()
    setup.read(HOME / "setup.cfg")
    for word in words[1:]:
        for extra in (name for names in re.findall(r"\[(.*)\]", word) for name in names.split(",")):
            assert extra in setup["options.extras_require"], f"{block}: there is no extra {extra!r}"
        if word.startswith("./"):
            assert (HOME / word).is_dir(), f"{block}: there is no folder {word}"


def check_scripts(block: Block) -> None:
    """The scripts that a block calls, which is not run, exist."""
    for script in re.findall(r"\bpython ([\w./-]+\.py)\b", block.content):
        assert (HOME / script).is_file(), f"{block}: there is no {script}"
