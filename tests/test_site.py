"""The site: its pages are complete, their links lead somewhere, they mean the same here and on the site."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from documents import HOME, blocks
from ruamel.yaml import YAML

from energysim.hardware import hardware_schema

DOCS = HOME / "docs"


def generator(name: str) -> ModuleType:
    """A module that makes a page of the site."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "generate" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cli_page, hardware_page = generator("cli_page"), generator("hardware_page")
COMMANDS: dict[str, click.Command] = dict(cli_page.commands())
WRITTEN = sorted([HOME / "README.md", *DOCS.glob("*.md")])
REPORTS = sorted((HOME / "reports").glob("*.md"))


def options(command: click.Command) -> dict[str, click.Option]:
    return {text: p for p in command.params if isinstance(p, click.Option) for text in p.opts}


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_has_its_help(words: str) -> None:
    command, page = COMMANDS[words], cli_page.page()
    assert command.help, f"{words}: no help text"
    assert re.search(rf"^##+ {re.escape(words)}$", page, re.MULTILINE)
    for option in options(command).values():
        assert option.help, f"{words} {option.opts[0]}: no help text"
        assert f"{cli_page.plain(option.help)}" in page
    for argument in (p for p in command.params if isinstance(p, click.Argument)):
        name = argument.make_metavar(click.Context(command)).strip("[].")
        known = isinstance(argument.type, click.Choice)  # its usage line says it all
        said = name.partition(".")[0].lower() in command.help.lower()
        assert known or said, f"{words}: its help does not say what {name} is"


def shown() -> Iterator[tuple[Path, list[str]]]:
    """Commands of the program in blocks and in running text, by page."""
    for path in WRITTEN:
        text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
        for inline in re.findall(r"`(energysim [^`]*)`", text):
            yield path, shlex.split(inline.replace("'", '"') if inline.count("'") % 2 else inline)
        for block in blocks(path):
            for line in block.content.replace("\\\n", " ").splitlines():
                if re.match(r"(\$ )?energysim ", line) and block.language in ("sh", "console"):
                    yield path, shlex.split(line.removeprefix("$ "), comments=True)


def command_of(words: list[str]) -> str:
    """The longest beginning that is a command."""
    names = [" ".join(words[: n + 1]) for n in range(1, len(words))]
    return next((name for name in reversed(names) if name in COMMANDS), "")


def test_every_command_has_a_page_that_uses_it() -> None:
    used = {command_of(words) for _, words in shown()}
    leaves = {words for words, command in COMMANDS.items() if not isinstance(command, click.Group)}
    unused = sorted(leaves - used)
    assert not unused, f"on no page of docs/ and not in the README: {unused}"


def test_commands_in_running_text_exist() -> None:
    for path, words in shown():
        name = command_of(words)
        if not name and words[1] in ("--help", "--version", "--traceback", "COMMAND"):
            continue
        assert name, f"{path.name}: no command {' '.join(words)!r}"
        known = {"--help", "-h", *options(COMMANDS[name])}
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known, f"{path.name}: {' '.join(words)!r}: {sorted(given - known)}"


def test_the_page_of_hardware_has_every_key() -> None:
    page = hardware_page.page()
    records: dict[str, Any] = hardware_schema()["$defs"]  # type: ignore[assignment]
    for name, record in records.items():
        if not name.endswith("Partial"):
            section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            keys = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
            assert keys == list(record["properties"]), name
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= {name.lower() for name in records}


def test_every_page_is_in_the_contents() -> None:
    config = YAML(typ="safe").load((HOME / "mkdocs.yml").read_text("utf-8"))

    def pages(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        for inner in entry if isinstance(entry, list) else entry.values() if isinstance(entry, dict) else ():
            yield from pages(inner)

    found = list(pages(config["nav"]))
    listed = set(found)
    assert len(found) == len(listed), "a page twice in the nav of mkdocs.yml"
    made = {"cli.md", "hardware.md", "reports/operators.md", "reports/reproduction.md"}
    notebooks = {f"reports/notebooks/{p.stem}.md" for p in (HOME / "reports/notebooks").glob("*.ipynb")}
    there = {path.name for path in DOCS.glob("*.md")} | made | notebooks
    assert not there - listed, "add them to the nav of mkdocs.yml"
    assert not listed - there


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as MkDocs and GitHub make them."""
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
    heads = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", head).strip().lower()) for head in heads}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    made = {"cli.md", "hardware.md"}
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        if path.parent == DOCS and name in made:
            continue
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{path.name}: no heading {target}"


@pytest.mark.parametrize("path", [*WRITTEN, *REPORTS], ids=lambda path: path.name)
def test_lists_read_the_same_on_the_site(path: Path) -> None:
    """MkDocs wants an empty line before a list, and four spaces before a list in a list."""
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
    item = re.compile(r"( *)([-*]|\d+\.) ")
    before = ""
    for line in text.splitlines():
        found = item.match(line)
        if found:
            assert len(found[1]) % 4 == 0, f"{path.name}: {line!r}"
            inside = not before or before.startswith(" ") or item.match(before)
            assert inside, f"{path.name}: no empty line before {line!r}"
        before = line
