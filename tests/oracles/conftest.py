"""The oracles need PyTorch: their files are collected with ``-m torch`` only, and then they must run.

``pytest -m torch`` without PyTorch fails; it never skips. What PyTorch said of small cases is
committed under ``tests/data/golden`` and checked by every run (``test_golden.py``).
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "torch: checks against PyTorch (CPU); run with -m torch")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name.startswith("test_torch_") and "torch" not in (config.option.markexpr or ""):
        return True
    return None
