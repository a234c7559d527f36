"""The single-mapping evaluator, by hand."""

from __future__ import annotations

import pytest

from energysim.kernels import DenseKernel
from energysim.mapping import Fetches, Rules, Tiling, fetches
from energysim.windows import Axis
from energysim.workload import LoopNest

#: 4 filters, 2 channels, 4 x 4 outputs of 3 x 3 windows on 6 x 6 inputs; 144 inputs with both images.
ROWS = Axis(4, 6, 3)
NEST = LoopNest(2, 1, 4, 2, ROWS, ROWS, DenseKernel((4, 2, 3, 3)))


def moved(tiles: tuple[int, ...], order: str, **rules: str) -> tuple[int, int, int]:
    found = fetches(NEST, Tiling(tiles, order), Rules(**rules))
    return found.weight_passes, found.input_elements, found.output_visits


def test_one_tile_moves_everything_once() -> None:
    assert moved((2, 4, 2, 4, 4), "NMCPQ") == (1, 144, 1)


def test_channels_innermost_finish_the_sums() -> None:
    # Tiles: 2 of M, 2 of C, 2 of P (rows of 4 + 4 inputs), all of N and Q.
    assert moved((2, 2, 1, 2, 4), "CPMNQ") == (2, 2 * 2 * 2 * (4 + 4) * 6, 1)


def test_filters_innermost_keep_the_inputs_and_the_overlap() -> None:
    assert moved((2, 2, 1, 2, 4), "MPCNQ") == (2, 144, 2)
    assert moved((2, 2, 1, 2, 4), "MPCNQ", overlap="none") == (2, 2 * 2 * 8 * 6, 2)


def test_pixels_innermost_keep_the_weights() -> None:
    assert moved((2, 2, 1, 2, 4), "PMCNQ") == (1, 2 * 144, 2)


def test_overlap_is_kept_along_the_innermost_loop_only() -> None:
    # P inside Q: rows of 6, columns of 4 + 4; the other way round the same by symmetry.
    assert moved((2, 4, 2, 2, 2), "PQNMC") == (1, 2 * 2 * 6 * 8, 1)
    assert moved((2, 4, 2, 2, 2), "NPQMC") == (1, 2 * 2 * 6 * 8, 1), "a loop of one trip is no loop"
    assert moved((1, 4, 2, 2, 2), "NPQMC") == (1, 2 * 2 * 8 * 8, 1), "two images: N is the innermost"


def test_a_loop_that_starts_again_starts_from_scratch() -> None:
    # Two tiles of P share two rows both ways, yet each of the two sweeps (M) costs all 6 rows.
    assert moved((2, 2, 2, 2, 4), "PMCNQ") == (1, 2 * 144, 1)


def test_groups_share_nothing() -> None:
    nest = LoopNest(2, 3, 4, 2, ROWS, ROWS, DenseKernel((12, 2, 3, 3)))
    one = fetches(NEST, Tiling((2, 2, 1, 2, 4), "PMCNQ"), Rules())
    three = fetches(nest, Tiling((2, 2, 1, 2, 4), "PMCNQ"), Rules())
    assert three == Fetches(one.weight_passes, 3 * one.input_elements, one.output_visits)


@pytest.mark.parametrize(
    ("tiles", "order", "message"),
    [
        ((2, 4, 2, 4, 4), "NMCPP", "a loop order is a permutation of NMCPQ, not 'NMCPP'"),
        ((2, 4, 2, 4, 4), "NMCP", "a loop order is a permutation of NMCPQ, not 'NMCP'"),
        ((2, 5, 2, 4, 4), "NMCPQ", "dimension M has tiles of 1 to 4, not 5"),
        ((2, 4, 0, 4, 4), "NMCPQ", "dimension C has tiles of 1 to 2, not 0"),
    ],
)
def test_mistakes(tiles: tuple[int, ...], order: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fetches(NEST, Tiling(tiles, order), Rules())


def test_a_tiling_reads_well() -> None:
    assert str(Tiling((1, 64, 1, 7, 56), "CPMNQ")) == "tile N1 M64 C1 P7 Q56, loops CPMNQ"
