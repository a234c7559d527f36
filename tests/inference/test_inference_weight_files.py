"""Weight files: round trips, and everything that can be wrong with a file."""

from __future__ import annotations

import io
import json
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energysim.errors import WeightsError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import load_weights, random_weights, save_weights, weight_groups


def graph() -> LayerGraph:
    b = GraphBuilder("net", (2, 4, 4))
    x = b.batch_norm(b.conv(b.input, 3, 3, padding=1, bias=False, name="conv"), name="bn")
    return b.build(b.linear(b.flatten(x), 2, name="fc"))


WEIGHTS = random_weights(graph(), 5)


def safetensors(
    weights: dict[str, Any],
    header: dict[str, Any] | None = None,
    extra: bytes = b"",
    length: int | None = None,
) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    kinds = {"float32": "F32", "float64": "F64", "int64": "I64"}
    for name, array in weights.items():
        raw = array.tobytes()
        entries[name] = {
            "dtype": kinds[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(entries | (header or {})).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data + extra


def same(found: dict[str, Any]) -> bool:
    return list(found) == list(WEIGHTS) and all(
        np.array_equal(found[n], WEIGHTS[n]) and found[n].dtype == np.float32 for n in WEIGHTS
    )


@pytest.mark.parametrize("compress", [False, True])
def test_npz_round_trip(tmp_path: Path, compress: bool) -> None:
    file = tmp_path / "w.npz"
    save_weights(file, WEIGHTS, compress)
    first = file.read_bytes()
    assert same(load_weights(file, graph()))
    assert same(dict(np.load(file)))
    save_weights(str(file), load_weights(str(file), graph()), compress)
    assert file.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444


def test_numpy_files_and_fortran_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{n: np.asfortranarray(a) for n, a in WEIGHTS.items()})
    found = load_weights(tmp_path / "w.npz", graph())
    assert same(found)
    assert found["conv.weight"].flags.c_contiguous


def test_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors(WEIGHTS))
    assert same(load_weights(file, graph()))


def test_counters_of_batch_norms_are_left_out(tmp_path: Path) -> None:
    more = {**WEIGHTS, "bn.num_batches_tracked": np.array(7, dtype=np.int64)}
    (tmp_path / "a").write_bytes(safetensors(more))
    np.savez(tmp_path / "b.npz", **more)
    assert same(load_weights(tmp_path / "a", graph()))
    assert same(load_weights(tmp_path / "b.npz", graph()))


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as box:
        for name, data in members.items():
            box.writestr(name.replace("__", "."), data)
    return out.getvalue()


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def whole_npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, **WEIGHTS)
    return out.getvalue()


BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"conv.weight = 1, 2, 3\nfc.weight = 4, 5\n", "this is no weight file"),
    "short": (b"abc", "this is no weight file"),
    "pickle": (pickle.dumps(Bomb()), "pickle.*not opened"),
    "old pickle": (pickle.dumps(Bomb(), protocol=2), "pickle.*not opened"),
    "ascii pickle": (pickle.dumps(Bomb(), protocol=0), "this is no weight file"),
    "pickle in npz": (
        zipped(conv__weight__npy=npy(np.array([Bomb()], dtype=object))),
        "'conv.weight' is a pickle",
    ),
    "pytorch": (zipped(archive_data__pkl=pickle.dumps(Bomb())), "PyTorch file with a pickle"),
    "single array": (npy(np.zeros(3, np.float32)), "single array"),
    "other zip": (zipped(readme__txt=b"hello"), "member 'readme.txt' is no array"),
    "truncated npz": (whole_npz()[:-200], "damaged or cut short"),
    "npz start only": (whole_npz()[:40], "damaged or cut short"),
    "cut array": (zipped(fc__bias__npy=npy(np.zeros(2, np.float32))[:-3]), "'fc.bias' is cut short"),
    "bad header": (zipped(fc__bias__npy=b"\x93NUMPY\x01\x00\x02\x00{}"), "damaged or cut short"),
    "open bracket": (zipped(fc__bias__npy=npy(np.zeros(2)).replace(b"}", b"(")), "damaged or cut short"),
    "truncated safetensors": (safetensors(WEIGHTS)[:-8], "damaged or cut short .*bytes of arrays"),
    "bytes behind": (safetensors(WEIGHTS, extra=b"1234"), "damaged or cut short .*bytes of arrays"),
    "header longer than file": (safetensors(WEIGHTS, length=10**6), "a header of 1000000 bytes"),
    "huge header": (safetensors(WEIGHTS, length=2**63), "a header of"),
    "header cut": (safetensors(WEIGHTS, length=50), "damaged or cut short"),
    "overlap": (
        safetensors(WEIGHTS, {"fc.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}),
        "overlap|gap",
    ),
    "gap": (
        safetensors({}, {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        "leave a gap",
    ),
    "negative": (
        safetensors({}, {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}),
        "no list of lengths",
    ),
    "huge shape": (
        safetensors({}, {"a": {"dtype": "F32", "shape": [2**61, 8], "data_offsets": [0, 4]}}),
        "does not fill",
    ),
    "true": (
        safetensors({}, {"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}),
        "no list of lengths",
    ),
    "type": (
        safetensors({}, {"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}),
        "unknown type 'X9'",
    ),
    "fields": (safetensors({}, {"a": {"dtype": "F32"}}), "no dtype, shape and data_offsets"),
    "list": ((4).to_bytes(8, "little") + b"{}[]", "damaged or cut short"),
    "deep": ((40002).to_bytes(8, "little") + b'{"' + b"[" * 40000, "damaged or cut short"),
    "twice": ((22).to_bytes(8, "little") + b'{"a": null, "a": null}', "a name appears twice"),
    "half type": (safetensors({"conv.weight": np.zeros(4)}), "'conv.weight' holds float64"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(tmp_path: Path, kind: str) -> None:
    data, message = BAD[kind]
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(file, graph())
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_directories_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"weights '{tmp_path}' cannot be read: Is a directory"):
        load_weights(tmp_path, graph())
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        load_weights(tmp_path / "none.npz", graph())


def test_wrong_contents_name_the_file_and_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a wrong header costs no more than its headers."""
    monkeypatch.setattr("numpy.lib.format.read_array", lambda *_, **__: pytest.fail("an array was read"))
    for changed, message in (
        ({"fc.weight": np.zeros((2, 99), np.float32)}, "'fc.weight' has shape 2x99, the network needs 2x48"),
        ({"fc.weight": np.zeros((2, 48))}, "'fc.weight' holds float64, not float32"),
        ({"other.weight": np.zeros(2, np.float32)}, "'other.weight' is not of this network"),
    ):
        np.savez(tmp_path / "w.npz", **{**WEIGHTS, **changed})
        with pytest.raises(WeightsError, match=f"w.npz for 'net': {message}"):
            load_weights(tmp_path / "w.npz", graph())
    np.savez(tmp_path / "w.npz", **{n: a for n, a in WEIGHTS.items() if n != "bn.bias"})
    with pytest.raises(WeightsError, match=r"'bn.bias' \(3\) is missing"):
        load_weights(tmp_path / "w.npz", graph())


def test_values_are_checked_too(tmp_path: Path) -> None:
    bad = {**WEIGHTS, "fc.bias": np.array([0, np.nan], np.float32)}
    save_weights(tmp_path / "w.npz", bad)
    with pytest.raises(WeightsError, match=r"w.npz for 'net': 'fc.bias' is nan at \(1,\)"):
        load_weights(tmp_path / "w.npz", graph())


def test_saving_fails_whole(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"written as .npz"):
        save_weights(tmp_path / "w.bin", WEIGHTS)
    wrong: Any = {"a": np.zeros(2)}
    with pytest.raises(WeightsError, match="'a' cannot be saved"):
        save_weights(tmp_path / "w.npz", wrong)
    with pytest.raises(WeightsError, match="cannot be written: No such file"):
        save_weights(tmp_path / "none" / "w.npz", WEIGHTS)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "w.npz"
    file.write_bytes(b"old")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.lib.format.write_array", stop)
    with pytest.raises(KeyboardInterrupt):
        save_weights(file, WEIGHTS)
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_files_raise_nothing_but_our_error(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([whole_npz(), safetensors(WEIGHTS)])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "mutated"
    file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    try:
        found = load_weights(file, graph())
    except WeightsError:
        return
    assert list(found) == list(WEIGHTS)


def sets(folder: Path, **more: Any) -> Path:
    """Two sets of weights in one file, and more arrays."""
    both = {f"{group}/{name}": array for group in ("a", "b") for name, array in WEIGHTS.items()}
    np.savez(folder / "sets.npz", **both, **more)
    return folder / "sets.npz"


def test_sets_of_weights_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sets(tmp_path, **{"c/conv.weight": np.zeros((1 << 20,), np.float32)})
    assert weight_groups(file) == ("a", "b", "c")
    assert same(load_weights(file, graph(), "b"))
    monkeypatch.setattr("numpy.lib.format.read_array", lambda *_, **__: pytest.fail("an array was read"))
    with pytest.raises(WeightsError, match=r"sets\.npz, c for 'net': .*'conv\.weight' has shape 1048576"):
        load_weights(file, graph(), "c")


def test_files_without_sets(tmp_path: Path) -> None:
    save_weights(tmp_path / "one.npz", WEIGHTS)
    (tmp_path / "text.npz").write_bytes(b"text")
    (tmp_path / "torch.npz").write_bytes(zipped(**{"archive/data.pkl": pickle.dumps(Bomb())}))
    for name in ("one.npz", "text.npz", "torch.npz", "none.npz"):
        assert weight_groups(tmp_path / name) == ()
    with pytest.raises(WeightsError, match=r"belong to a set \(such as 'a'\), some to none"):
        weight_groups(sets(tmp_path, extra=np.zeros(1, np.float32)))


def test_an_array_of_a_set_twice(tmp_path: Path) -> None:
    file = tmp_path / "twice.npz"
    with zipfile.ZipFile(file, "w") as box, pytest.warns(UserWarning, match="Duplicate name"):
        for name in (*WEIGHTS, "fc.bias"):
            box.writestr(f"a/{name}.npy", npy(WEIGHTS[name]))
    with pytest.raises(WeightsError, match=r"two members 'a/fc\.bias\.npy'"):
        load_weights(file, graph(), "a")
