"""What MkDocs calls when it builds the site: pages that are made from the program, none of them committed."""

from __future__ import annotations

import re
from pathlib import Path

import cli_page
import hardware_page
import notebook_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from energysim.reproduce import read_facts, render, reproduce, source_names

REPORTS = Path(__file__).resolve().parents[2] / "reports"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that have no file in this folder."""
    tables = [reproduce(name) for name in source_names()]
    pages = {
        "cli.md": cli_page.page(),
        "hardware.md": hardware_page.page(),
        "reports/operators.md": (REPORTS / "operators.md").read_text("utf-8"),
        "reports/reproduction.md": render(tables, read_facts(), "markdown"),
    }
    for path in sorted((REPORTS / "notebooks").glob("*.ipynb")):
        pages[f"reports/notebooks/{path.stem}.md"] = notebook_page.page(path)
        files.append(File.generated(config, f"reports/notebooks/{path.name}", abs_src_path=str(path)))
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the reports of the repository into links to their pages here."""
    if page.file.src_uri.startswith("reports/"):
        return markdown
    return re.sub(r"\]\(\.\./(reports/[\w/]+)\.(?:md|ipynb)", r"](\1.md", markdown)
