"""The locator of shipped data: inside an installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from energysim import resources
from energysim.resources import data_folder


@pytest.mark.parametrize(("name", "file"), [("models", "vgg.py"), ("hwspecs", "edge45.yaml")])
def test_shipped_folders(name: str, file: str) -> None:
    assert (data_folder(name) / file).is_file()


def placed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that the package lies in this folder."""
    package = folder / "energysim"
    package.mkdir()
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    return package


def test_inside_the_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = placed(tmp_path, monkeypatch)
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "models").mkdir()
    assert data_folder("models") == tmp_path / "models"
    (package / "models").mkdir()
    assert data_folder("models") == package / "models"


def test_a_folder_beside_the_package_counts_only_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(tmp_path, monkeypatch)
    (tmp_path / "models").mkdir()
    with pytest.raises(FileNotFoundError, match="lacks its 'models' folder"):
        data_folder("models")
