"""Every operator case of the onnx package's own node tests: imported and run to the reference output.

What is not run is listed here with the reason; nothing else may fail.
"""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from node_cases import as_array, cases, imported_case, run  # noqa: E402

from energysim.errors import EnergysimError, UnknownOperatorError  # noqa: E402
from energysim.importers.onnx_registry import known_operators  # noqa: E402

pytestmark = pytest.mark.slow

#: Part of the message -> cases of known operators in a form whose cost is not known.
UNKNOWN_FORMS = {
    "it has 3 image axes": [
        *(
            "averagepool_3d_default",
            "averagepool_3d_dilations_small",
            "convtranspose_3d",
            "lppool_3d_default",
        ),
        *("maxpool_3d_default", "maxpool_3d_dilations", "maxpool_3d_dilations_use_ref_impl"),
        "maxpool_3d_dilations_use_ref_impl_large",
        *(
            f"averagepool_3d_dilations_large_count_include_pad_is_{c}_ceil_mode_is_{m}"
            for c in (0, 1)
            for m in (True, False)
        ),
    ],
    "it takes its statistics from the batch": [
        "batchnorm_example_training_mode",
        "batchnorm_epsilon_training_mode",
    ],
    "it is in training mode": [
        "training_dropout",
        "training_dropout_mask",
        "training_dropout_default",
        "training_dropout_default_mask",
        "training_dropout_zero_ratio",
        "training_dropout_zero_ratio_mask",
    ],
    "for blocks of elements": [
        "dequantizelinear_blocked",
        "quantizelinear_blocked_asymmetric",
        "quantizelinear_blocked_symmetric",
    ],
    "is not computed here": [
        "maxpool_with_argmax_2d_precomputed_pads",
        "maxpool_with_argmax_2d_precomputed_strides",
    ],
    "it quantises to float": ["quantizelinear_e4m3fn", "quantizelinear_e5m2", "quantizelinear_float4e2m1"],
    "its coordinates are tf_crop_and_resize": [
        "resize_tf_crop_and_resize",
        "resize_tf_crop_and_resize_axes_2_3",
        "resize_tf_crop_and_resize_axes_3_2",
        "resize_tf_crop_and_resize_extrapolation_value",
    ],
    "with antialiasing": [
        f"resize_downsample_{how}_{mode}_antialias"
        for how in ("scales", "sizes")
        for mode in ("cubic", "linear")
    ],
    "takes another number of operands than 2: 1": [
        *("einsum_batch_diagonal", "einsum_scalar", "einsum_sum", "einsum_transpose"),
        *("einsum_sum_bfloat16", "einsum_transpose_bfloat16"),
    ],
    "nothing is left of its input": ["slice_start_out_of_bounds"],
}
#: Names of the types that no cast is known to.
NARROW = ("FLOAT8", "FLOAT4", "INT4", "INT2", "_E8M0", "E4M3", "E5M2")
#: Part of the message -> cases that need what layer graphs do not have.
REFUSED = {
    "is no tensor of numbers": "strings, sequences, optional values",
    "has the shape": "axes of length 0",
    "has no elements": "axes of length 0",
    "uses operator set 1": "older than 7",
    "holds NaN or infinity": "refused by the engine",
}


def failed(name: str) -> str | None:
    """None if the case runs to its reference output, else why not."""
    case = cases()[name]
    try:
        imported, inputs = imported_case(name)
        names = [info.name for info in case.model.graph.input]
        found = run(imported, dict(zip(names, inputs, strict=True)))
    except EnergysimError as error:
        return f"{type(error).__name__}: {error}"
    for array, value in zip(found, case.data_sets[0][1], strict=True):
        wanted = as_array(value)
        assert array.shape == wanted.shape, name
        close = 1e-2 if wanted.dtype.name == "bfloat16" else 1e-3  # rounding to it is not modelled
        np.testing.assert_allclose(
            array, wanted.astype(np.float64), rtol=close, atol=1e-5, err_msg=f"output of {name}"
        )
    return None


def test_cases_of_known_operators() -> None:
    known, ran = set(known_operators()), 0
    forms = {f"test_{name}": part for part, names in UNKNOWN_FORMS.items() for name in names}
    for name, case in cases().items():
        operators = [node.op_type for node in case.model.graph.node]
        if len(operators) > 1 or operators[0] not in known or not case.model.graph.input:
            continue
        problem = failed(name)
        target = name.partition("_to_")[2]
        if operators[0] in ("Cast", "CastLike") and any(part in target for part in NARROW):
            assert problem is not None
            assert "it rounds to" in problem or "has the shape 0" in problem, (name, problem)
            continue
        if name in forms:
            assert problem is not None, name
            assert forms.pop(name) in problem, (name, problem)
            assert problem.startswith("UnknownOperatorError: the model: node ")
            continue
        assert problem is None or any(part in problem for part in REFUSED), (name, problem)
        ran += problem is None
    assert not forms
    assert ran > 690


def test_cases_of_other_operators() -> None:
    """Operators outside the list are unknown, with the node's name, or are run by what they stand for."""
    known, unknown, ran = set(known_operators()), 0, 0
    for name, case in cases().items():
        nodes = list(case.model.graph.node)
        if len(nodes) > 1 or nodes[0].op_type in known or not case.model.graph.input:
            continue
        problem = failed(name)
        ran += problem is None
        if problem is None or any(part in problem for part in REFUSED):
            continue
        shown = nodes[0].name or next(o for o in nodes[0].output if o)
        assert problem.startswith("UnknownOperatorError: the model: "), (name, problem)
        assert f"node '{shown}" in problem, (name, problem)
        assert nodes[0].op_type in problem or shown + "/" in problem, (name, problem)
        unknown += 1
    assert unknown > 200
    assert ran > 80


def test_cases_written_out() -> None:
    """Models whose operator is written out in others: they run, or name what is unknown."""
    ran = 0
    for name, case in cases().items():
        if len(case.model.graph.node) < 2:
            continue
        problem = failed(name)
        ran += problem is None
        if problem is not None and not any(part in problem for part in REFUSED):
            assert problem.startswith(UnknownOperatorError.__name__), (name, problem)
    assert ran > 250
