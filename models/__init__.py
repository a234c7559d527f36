"""The model zoo: one builder file per family, found by :mod:`energysim.zoo`."""
