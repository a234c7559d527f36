"""A notebook as a page: its text, and its code in blocks."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["page"]


def page(path: Path) -> str:
    """Return the cells of a notebook in Markdown."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    where = f"*The notebook is [{path.name}]({path.name}); it is stored without output.*"
    return "\n\n".join([parts[0], where, *parts[1:]]) + "\n"
