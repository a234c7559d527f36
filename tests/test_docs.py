"""What documents show is done: commands, Python, files, and what is said to be printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from documents import HOME, Block, Reader, blocks, check_scripts, missing
from ruamel.yaml.error import YAMLError

from energysim.resources import data_folder

DOCS = HOME / "docs"
WRITTEN = (HOME / "README.md", *sorted(DOCS.glob("*.md")))
PAGES = {str(path.relative_to(HOME)): blocks(path) for path in WRITTEN}
LANGUAGES = {"sh", "console", "python", "text", "yaml", "json", "toml"}


def done_here(block: Block) -> bool:
    return block.note("tested") is None and block.note("not run") is None


QUICK = [page for page, found in PAGES.items() if any(done_here(b) and b.note("slow") is None for b in found)]
SLOW = [page for page, found in PAGES.items() if any(b.note("slow") is not None for b in found)]


def follow(page: str, *, slow: bool) -> None:
    """Do all that a page shows; what needs modules that are not there is left out."""
    reader, done = Reader(), 0
    wanted = [b for b in PAGES[page] if done_here(b) and (slow or b.note("slow") is None)]
    for block in wanted:
        if not missing(block):
            reader.follow(block)
            done += 1
    if not done:
        pytest.skip(f"not installed: {', '.join(sorted({name for b in wanted for name in missing(b)}))}")


@pytest.mark.parametrize("page", QUICK)
def test_what_is_shown_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW)
def test_slow_blocks_run_too(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(page, slow=True)


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_blocks(page: str) -> None:
    """An indented command would be shown like a block, and run by nobody."""
    text = re.sub(r"(?ms)^```.*?^```$", "", (HOME / page).read_text("utf-8"))
    assert not re.findall(r"(?m)^ {4,}(?:\$ )?(?:energysim|python3?|pip|git|\S*/?pytest) .*", text)


WRONG = {
    "a command that fails": ("sh", "energysim show hardware edge46\n"),
    "a failure that is none": ("console", "$ energysim list rules\nenergysim: no such rule\n"),
    "another number": ("console", "$ energysim show hardware edge45\nclock  201 MHz\n"),
    "another order": ("console", "$ energysim show hardware edge45\nclock  200 MHz\nname  edge45\n"),
    "output of nothing": ("text", "clock  200 MHz\n"),
    "an unknown program": ("sh", "make install\n"),
    "an unknown extra": ("sh", "pip install 'energysim[onyx]'\n"),
    "an unknown folder": ("sh", "pip install ./example\n"),
    "Python that stops": ("python", "import energysim\nenergysim.estimat\n"),
    "JSON that is none": ("json", "{'a': 1}\n"),
    "YAML that is none": ("yaml", "a: b: c\n"),
    "a language nobody reads": ("ruby", "puts 1\n"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_block_is_found(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    language, content = WRONG[what]
    with pytest.raises((AssertionError, AttributeError, ValueError, YAMLError)):
        Reader().follow(Block("page.md", 1, language, content, (), None))


def test_a_right_block_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader()
    shown = "$ energysim show hardware edge45\nname  edge45\n...\nclock  200 ...\n"
    reader.follow(Block("page.md", 1, "console", shown, (), None))
    reader.follow(Block("page.md", 5, "text", "clock  200 MHz\n", (), None))
    reader.follow(Block("page.md", 7, "json", '{"a": 1}\n', (), "deep/in/a.json"))
    assert (tmp_path / "deep" / "in" / "a.json").read_text() == '{"a": 1}\n'


def test_every_block_has_its_test() -> None:
    """Of a known language; those that are not run here name the test that does, or a reason."""
    for block in (block for found in PAGES.values() for block in found):
        assert block.language in LANGUAGES, f"{block}: a block of {block.language!r}"
        tester, reason = block.note("tested"), block.note("not run")
        if tester is not None:
            source = (HOME / tester).read_text("utf-8")
            assert Path(block.page).name in source, f"{block}: {tester} does not name this page"
        if reason is not None:
            assert len(reason) > 10, f"{block}: no reason why it is not run"
            check_scripts(block)
    assert QUICK and SLOW


def test_accuracies_shown_are_those_recorded() -> None:
    record = json.loads((data_folder("models") / "digits_weights" / "accuracy.json").read_text("utf-8"))
    table = (
        (DOCS / "validate.md").read_text("utf-8").partition("<!-- accuracy -->")[2].partition("\n\nDiff")[0]
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "%" in line]
    assert {row[0] for row in rows} == set(record["schemes"])
    for scheme, *shares in (row[:4] for row in rows):
        percent = record["schemes"][scheme]["test_percent"]
        recorded = (percent[key] for key in ("mean", "least", "largest"))
        assert [float(share.rstrip(" %")) for share in shares] == [round(value, 2) for value in recorded]
