"""Data from files: arrays as they come out, and one clear message for whatever is wrong."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from energysim.data import load_data
from energysim.errors import DataError, EnergysimError, UsageError
from energysim.graph import GraphBuilder, LayerGraph

RNG = np.random.Generator(np.random.Philox(7))


def net(input: tuple[int, ...] = (2, 4, 3), classes: int = 5) -> LayerGraph:
    b = GraphBuilder("net", input=input)
    return b.build(b.linear(b.flatten(b.relu(b.conv(b.input, 3, 3, padding=1))), classes))


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def images(count: int = 6, shape: tuple[int, ...] = (2, 4, 3)) -> np.ndarray:
    return RNG.standard_normal((count, *shape)).astype(np.float32)


def refused(source: object, graph: LayerGraph | None = None, count: int | None = None) -> str:
    with pytest.raises(EnergysimError) as caught:
        load_data(str(source), graph or net(), count)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_random_is_the_default_form_and_says_so() -> None:
    data = load_data("random", net(), seed=3)
    assert data.random
    assert data.count == 8
    assert data.labels is None
    assert data.source == "8 random images of seed 3"
    assert np.array_equal(data.images, load_data("random", net(), 8, seed=3).images)
    assert not np.array_equal(data.images, load_data("random", net(), 8, seed=4).images)


def test_batches_cover_everything_in_order() -> None:
    data = load_data("random", net(), 7)
    parts = list(data.batches(3))
    assert [p.count for p in parts] == [3, 3, 1]
    assert np.array_equal(np.concatenate([p.images for p in parts]), data.images)


def test_npz_floats_as_they_are(tmp_path: Path) -> None:
    x, y = images(), np.array([0, 1, 2, 3, 4, 0])
    data = load_data(npz(tmp_path, images=x, labels=y), net())
    assert np.array_equal(data.images, x)
    assert np.array_equal(data.labels, y)
    assert data.source == "file 'data.npz', 6 of 6 images"
    assert data.normalisation == "numbers as they are in the file, no mean or deviation taken off"


def test_npz_bytes_and_normalisation(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (3, 2, 4, 3)).astype(np.uint8)
    path = npz(tmp_path, images=x)
    assert np.allclose(load_data(path, net()).images, x / 255)
    found = load_data(path, net(), normalise="0.5/0.25,0.5/2")
    expected = (x / 255 - np.array([0.5, 0.25]).reshape(2, 1, 1)) / np.array([0.5, 2]).reshape(2, 1, 1)
    assert np.allclose(found.images, expected, atol=1e-6)
    assert found.normalisation == "bytes divided by 255, mean 0.5/0.25 taken off, divided by 0.5/2"
    assert found.labels is None


def test_npz_a_part_is_evenly_spaced(tmp_path: Path) -> None:
    x = images(10)
    assert np.array_equal(load_data(npz(tmp_path, images=x), net(), 4).images, x[[0, 2, 5, 7]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": images(2, (2, 4, 4))}, "images of 2x4x4, but 'net' takes 2x4x3"),
        ({"images": images(2, (4, 3, 2))}, "takes 2x4x3; the channels must come first"),
        ({"images": images(2)[0]}, "images are an array (N, C, H, W), not 2x4x3"),
        ({"images": images(0)}, "holds no image"),
        ({"images": np.zeros((2, 2, 4, 3), np.int64)}, "floating-point numbers or bytes (uint8), not int64"),
        ({"labels": np.zeros(2, np.int64)}, "it has no array 'images'"),
        ({"images": images(2), "label": np.zeros(2)}, "unknown array 'label'; did you mean 'labels'?"),
        (
            {"images": images(2), "labels": np.array([0, 5])},
            "label 5 of image 1 is no class of 'net' (0 to 4)",
        ),
        ({"images": images(2), "labels": np.array([0, -1])}, "label -1 of image 1 is no class"),
        ({"images": images(2), "labels": np.array([0])}, "labels are 2 whole numbers, one for each image"),
        ({"images": images(2), "labels": np.zeros(2)}, "one for each image, not float64 of shape 2"),
        ({"images": np.array([[{}]], dtype=object)}, "'images' is a pickle, which could run any program"),
    ],
)
def test_npz_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    assert message in refused(npz(tmp_path, **arrays))


def test_npz_nan_names_the_image(tmp_path: Path) -> None:
    x = images()
    x[4, 1, 2, 0] = np.nan
    assert "image 4 holds NaN or infinity" in refused(npz(tmp_path, images=x))


def test_npz_too_many_asked_for(tmp_path: Path) -> None:
    assert "9 images are asked for, it holds 6" in refused(npz(tmp_path, images=images()), count=9)


@pytest.mark.parametrize("keep", [0, 1, 3, 20, 60, 200, 300, -1])
def test_npz_cut_short(tmp_path: Path, keep: int) -> None:
    path = npz(tmp_path, images=images(), labels=np.zeros(6, np.int64))
    path.write_bytes(path.read_bytes()[:keep])
    message = refused(path)
    assert "data.npz: " in message
    assert any(word in message for word in ("empty", "damaged or cut short", "no .npz file"))


def test_npz_member_shorter_than_it_says(tmp_path: Path) -> None:
    path = npz(tmp_path, images=images())
    with zipfile.ZipFile(path) as box:
        content = box.read("images.npy")
    with zipfile.ZipFile(path, "w") as box:
        box.writestr("images.npy", content[:-8])
    assert "'images' is cut short" in refused(path)


def test_a_pickle_in_disguise_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(pickle.dumps({"images": [1]}))
    assert "this is a pickle, which could run any program: it is not opened" in refused(path)


def test_doubles_beyond_float32_are_infinity(tmp_path: Path) -> None:
    x = images().astype(np.float64)
    x[2] *= 1e300
    assert "image 2 holds NaN or infinity (in float32)" in refused(npz(tmp_path, images=x))


def cifar(folder: Path, labels: list[int], name: str = "data_batch_1.bin") -> tuple[Path, np.ndarray]:
    pixels = RNG.integers(0, 256, (len(labels), 3072)).astype(np.uint8)
    path = folder / name
    path.write_bytes(b"".join(bytes([y]) + row.tobytes() for y, row in zip(labels, pixels, strict=True)))
    return path, pixels


CIFAR_NET = net((3, 32, 32), 10)


def test_cifar10(tmp_path: Path) -> None:
    path, pixels = cifar(tmp_path, [3, 9, 0])
    data = load_data(path, CIFAR_NET, normalise="none")
    assert data.labels is not None
    assert data.labels.tolist() == [3, 9, 0]
    assert np.allclose(data.images, pixels.reshape(3, 3, 32, 32) / 255)
    usual = load_data(path, CIFAR_NET)
    assert np.allclose(usual.images[:, 1], (data.images[:, 1] - 0.4822) / 0.2435, atol=1e-6)
    assert "mean 0.4914/0.4822/0.4465 taken off" in usual.normalisation


def test_cifar10_folder_means_its_test_images(tmp_path: Path) -> None:
    cifar(tmp_path, [1, 1])
    cifar(tmp_path, [2, 3, 4], "test_batch.bin")
    assert load_data(tmp_path, CIFAR_NET).labels.tolist() == [2, 3, 4]  # type: ignore[union-attr]


def test_cifar10_refused(tmp_path: Path) -> None:
    path, _ = cifar(tmp_path, [1, 10])
    assert "label 10 of record 1 is none of CIFAR-10 (0 to 9)" in refused(path, CIFAR_NET)
    assert "images of 3x32x32, but 'net' takes 2x4x3" in refused(path)
    assert "is no class of 'net' (0 to 4)" in refused(cifar(tmp_path, [7])[0], net((3, 32, 32), 5))
    path.write_bytes(path.read_bytes()[:-1])
    assert "no whole number of CIFAR-10 records of 3073" in refused(path, CIFAR_NET)
    path.write_bytes(b"")
    assert "0 bytes are no whole number" in refused(path, CIFAR_NET)


def ppm(path: Path, pixels: np.ndarray, header: bytes = b"P6\n# made by hand\n3 4\n255\n") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(header + pixels.tobytes())


def test_folder_of_classes(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (3, 4, 3, 3)).astype(np.uint8)
    ppm(tmp_path / "cat" / "a.ppm", pixels[0])
    ppm(tmp_path / "cat" / "b.ppm", pixels[1])
    ppm(tmp_path / "dog" / "a.ppm", pixels[2])
    data = load_data(tmp_path, net((3, 4, 3)))
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1]
    assert np.allclose(data.images, pixels.transpose(0, 3, 1, 2) / 255)
    assert "folder" in data.source
    assert "of 2 classes, 3 of 3 images" in data.source


def test_folder_of_grey_and_wide_pixels_and_arrays(tmp_path: Path) -> None:
    wide = RNG.integers(0, 1024, (4, 3)).astype(">u2")
    ppm(tmp_path / "b.pgm", wide, b"P5 3 4 1023\n")
    floats = RNG.standard_normal((1, 4, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", floats)
    data = load_data(tmp_path, net((1, 4, 3)))
    assert data.labels is None
    assert np.array_equal(data.images[0], floats)
    assert np.allclose(data.images[1, 0], wide / 1023)


def test_folder_refused(tmp_path: Path) -> None:
    graph = net((3, 4, 3))
    assert "holds no image" in refused(tmp_path, graph)
    pixels = RNG.integers(0, 256, (4, 3, 3)).astype(np.uint8)
    ppm(tmp_path / "a.ppm", pixels[:, :, :2])
    assert "cut short: 36 bytes of pixels needed, 24 there" in refused(tmp_path, graph)
    ppm(tmp_path / "a.ppm", pixels, b"P6 4 3 255\n")
    assert "images of 3x3x4, but 'net' takes 3x4x3" in refused(tmp_path, graph)
    ppm(tmp_path / "a.ppm", pixels, b"P3 4 3 255\n")
    assert "no binary PPM or PGM file; accepted are" in refused(tmp_path, graph)
    ppm(tmp_path / "a.ppm", pixels, b"P6 3 4 7\n")
    assert "the largest value is said to be 7" in refused(tmp_path, graph)
    (tmp_path / "a.ppm").write_bytes(b"P6 3")
    assert "no binary PPM or PGM file" in refused(tmp_path, graph)
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "a.ppm").unlink()
    assert "accepted are binary .ppm (P6) and .pgm (P5) images, and .npy arrays" in refused(tmp_path, graph)
    (tmp_path / "cat").mkdir()
    assert "'b.jpg' lies beside folders" in refused(tmp_path, graph)


def test_pickles_in_a_folder_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(pickle.dumps([1]))
    assert "this is a pickle, which could run any program: it is not opened" in refused(tmp_path)
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    assert "the array is a pickle" in refused(tmp_path)
    np.save(tmp_path / "a.npy", np.ones((2, 4, 3)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    assert "damaged or cut short (the array is cut short)" in refused(tmp_path)
    np.save(tmp_path / "a.npy", np.ones((2, 4, 3)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes().replace(b"}", b"("))
    assert "damaged or cut short" in refused(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the data have no name (random, digits"),
        ("digit", "unknown data 'digit'; did you mean 'digits'?"),
        ("cats", "unknown data 'cats' (random, digits"),
        ("there/is/none.npz", "there is no such file or folder"),
        ("none.npz", "there is no such file or folder"),
        ("nul\0.npz", "there is no such file or folder"),
    ],
)
def test_unknown_source(source: str, message: str) -> None:
    assert message in refused(source)


def test_unknown_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    assert "not a kind of file that can be used as data" in refused(tmp_path / "x.txt")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("imagnet", "unknown normalisation 'imagnet'; did you mean 'imagenet'?"),
        ("0.5,x", "holds what is no number"),
        ("0.5,0", "deviations above 0"),
        ("nan,1", "finite means"),
        ("0.1/0.2/0.3,1", "the normalisation is for 3 channels, the images have 2"),
    ],
)
def test_normalisation_refused(tmp_path: Path, rule: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_data(npz(tmp_path, images=images()), net(), normalise=rule)
    assert message in str(caught.value)


def test_options_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="nothing to normalise"):
        load_data("random", net(), normalise="none")
    with pytest.raises(UsageError, match="at least 1, not 0"):
        load_data("random", net(), 0)
    with pytest.raises(UsageError, match=r"10{11} inputs of 'net' are 9\.6e\+03 GB .* 89478485 at most"):
        load_data("random", net(), 10**11)


def test_labels_need_classes(tmp_path: Path) -> None:
    b = GraphBuilder("maps", input=(2, 4, 3))
    graph = b.build(b.conv(b.input, 3, 3))
    with pytest.raises(DataError, match="'maps' tells no classes apart"):
        load_data(npz(tmp_path, images=images(2), labels=np.zeros(2, np.int64)), graph)
