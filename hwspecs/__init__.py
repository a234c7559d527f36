"""Hardware specifications shipped with the package: data only."""
