"""Check that a wheel holds exactly the package, the zoo and the specifications of this checkout.

Run by CI: ``python tests/check_wheel.py WHEEL``. A forgotten subpackage is dropped from a wheel in
silence, and a wrong package list would ship ``models`` and ``hwspecs`` as top-level packages.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def expected() -> set[str]:
    """Files of the checkout that belong into a wheel, by their name in it."""
    package = {str(p.relative_to(TOP)) for p in (TOP / "energysim").rglob("*.py")}
    package.add("energysim/py.typed")
    for pattern in ("*.css", "*.js"):
        package |= {str(p.relative_to(TOP)) for p in (TOP / "energysim" / "report" / "page").glob(pattern)}
    for owner in ("report", "reproduce"):
        package |= {str(p.relative_to(TOP)) for p in (TOP / "energysim" / owner / "data").iterdir()}
    for folder, patterns in (
        ("models", ("*.py", "*/*.npz", "*/*.json")),
        ("hwspecs", ("*.py", "*.yaml", "dram/*.yaml")),
    ):
        for pattern in patterns:
            package |= {f"energysim/{p.relative_to(TOP)}" for p in (TOP / folder).glob(pattern)}
    return package


def main(wheel: str) -> int:
    """Return 0 if the wheel is complete and holds nothing else."""
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    wanted = expected()
    for name in sorted(wanted - names):
        print(f"missing in the wheel: {name}")
    for name in sorted(names - wanted):
        print(f"unexpected in the wheel: {name}")
    return int(names != wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
