"""IDX files and folders of them."""

import contextlib
import gzip
import shutil
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nnxp import data
from nnxp.data import images
from nnxp.errors import DataError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
LABELS, LABELS_TEST, IMAGES_TEST = (
    "train-labels-idx1-ubyte",
    "t10k-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
)
in_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def as_idx(array):
    """The format written out from its description, independent of the reader."""
    head = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_folder(folder, n=6, n_test=3, shape=(2, 3), zipped=False, seed=0):
    """A small data set in the likeness of MNIST; returns its arrays."""
    rng = np.random.default_rng(seed)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (n, *shape), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(n, dtype=np.uint8) % 3,
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (n_test, *shape), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(n_test, dtype=np.uint8) % 3,
    }
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        content = as_idx(array)
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)
    return list(arrays.values())


arrays = st.sampled_from(sorted(CODES)).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


@in_folder
@given(array=arrays, zipped=st.booleans())
def test_idx_round_trip(array, zipped, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(as_idx(array)) if zipped else as_idx(array))
    result = data.idx(path)
    assert result.dtype == array.dtype
    assert result.dtype.isnative
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


@in_folder
@given(content=st.data(), zipped=st.booleans())
def test_a_truncated_or_longer_file_is_refused(content, zipped, tmp_path):
    whole = as_idx(np.arange(40, dtype=np.int16).reshape(5, 8))
    cut = content.draw(st.integers(0, len(whole) - 1))
    damaged = content.draw(st.sampled_from([whole[:cut], whole + b"\0"]))
    if zipped:
        damaged = gzip.compress(damaged)
    (tmp_path / "file").write_bytes(damaged)
    with pytest.raises(DataError, match=r"is not an IDX file|ends inside its header|says it holds"):
        data.idx(tmp_path / "file")


@in_folder
@given(content=st.binary(max_size=60), head=st.sampled_from([b"", b"\0\0\x08", b"\x1f\x8b\x08", b"\0\0\x0e\x02"]))
def test_any_bytes_are_read_or_refused(content, head, tmp_path):
    (tmp_path / "file").write_bytes(head + content)
    with contextlib.suppress(DataError):
        assert data.idx(tmp_path / "file").nbytes < 64


@in_folder
@given(content=st.data())
def test_a_damaged_gzip_is_read_or_refused(content, tmp_path):
    packed = bytearray(gzip.compress(as_idx(np.arange(40, dtype=np.uint8))))
    packed[content.draw(st.integers(2, len(packed) - 1))] ^= content.draw(st.integers(1, 255))
    cut = content.draw(st.integers(3, len(packed)))
    (tmp_path / "file").write_bytes(packed[:cut])
    try:
        data.idx(tmp_path / "file")
    except DataError:
        return
    assert cut == len(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file: it begins with nothing"),
        (b"PK\x03\x04", "is not an IDX file: it begins with 50 4b 03 04; expected 00 00, a type"),
        (b"\0\0\x07\x01\0\0\0\0", "begins with 00 00 07 01"),
        (b"\0\0\x08\x00", "has 0 dimensions; 1 to 32"),
        (b"\0\0\x08\xff" + bytes(255 * 4), "has 255 dimensions"),
        (b"\0\0\x08\x03\0\0", "ends inside its header, after 6 bytes"),
        (b"\0\0\x0e\x02\0\0\0\x02\0\0\0\x03" + bytes(47), "holds 2 x 3 values, 48 bytes; got 47"),
        (b"\0\0\x08\x01\0\0\0\x02" + bytes(3), "2 values, 2 bytes; got more"),
        # Sizes that nothing could hold: memory is taken for what is there only.
        (b"\0\0\x0e\x04" + b"\xff" * 16 + bytes(5), "got 5"),
        (gzip.compress(b"\0\0\x0e\x04" + b"\xff" * 16 + bytes(5)), "got 5"),
        # A block of the type that deflate reserves.
        (gzip.compress(b"")[:10] + b"\x07" + bytes(20), "cannot be unpacked .*invalid block type"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x02ab")[:-9], "cannot be unpacked .*: the file is damaged"),
    ],
    ids=[
        "empty",
        "zip",
        "type",
        "scalar",
        "dims",
        "header",
        "short",
        "long",
        "huge",
        "huge gz",
        "reserved",
        "cut gz",
    ],
)
def test_idx_refuses(content, message, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=message):
        data.idx(tmp_path / "file")


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
def test_folder(tmp_path, zipped):
    X, y, X_test, y_test = write_folder(tmp_path / "tiny", zipped=zipped)
    tiny = data.load(tmp_path / "tiny")
    assert (tiny.name, tiny.classes, tiny.task) == ("tiny", ("0", "1", "2"), "classification")
    assert tiny.rescale == (1 / 255, 0.0)
    assert (tiny.X.dtype, tiny.y.dtype, tiny.y_test.dtype) == (np.uint8, np.int64, np.int64)
    np.testing.assert_array_equal(tiny.X, X.reshape(6, 6))
    np.testing.assert_array_equal(tiny.X_test, X_test.reshape(3, 6))
    np.testing.assert_array_equal(tiny.y, y)
    np.testing.assert_array_equal(tiny.y_test, y_test)


def test_folder_without_test_files(tmp_path):
    write_folder(tmp_path)
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    assert data.idx_folder(tmp_path).X_test is None


def damage_labels(folder, name, array):
    (folder / name).write_bytes(as_idx(np.asarray(array, dtype=np.uint8)))


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (
            lambda f: (f / "train-images-idx3-ubyte").unlink(),
            FileNotFoundError,
            "no file train-images-idx3-ubyte",
        ),
        (
            lambda f: (f / "t10k-labels-idx1-ubyte").unlink(),
            FileNotFoundError,
            "no file t10k-labels-idx1-ubyte",
        ),
        (lambda f: damage_labels(f, LABELS, [0, 1]), DataError, "has 6 images, .* 2 labels"),
        (lambda f: damage_labels(f, LABELS, [[0, 1]]), DataError, r"labels \(n,\).*uint8 \(1, 2\)"),
        (lambda f: damage_labels(f, LABELS, []), DataError, r"not empty; got uint8 \(0,\)"),
        (
            lambda f: damage_labels(f, LABELS, [2] * 6),
            DataError,
            f"{LABELS} holds 2 in every row; there is nothing to tell apart",
        ),
        (
            lambda f: damage_labels(f, LABELS_TEST, [0, 1, 3]),
            DataError,
            "label 2 is 3; the 3 classes are 0 to 2",
        ),
        (
            lambda f: damage_labels(f, IMAGES_TEST, np.ones((3, 4, 4))),
            DataError,
            "2 x 3, the test images 4 x 4",
        ),
        (
            lambda f: (f / "t10k-images-idx3-ubyte").write_bytes(as_idx(np.ones((3, 2, 3)))),
            DataError,
            "expected uint8 images .* got float64",
        ),
    ],
    ids=["no images", "no test labels", "lengths", "two dims", "empty", "one class", "unknown label", "sizes", "dtype"],
)
def test_folder_refuses(tmp_path, damage, error, message):
    write_folder(tmp_path)
    damage(tmp_path)
    with pytest.raises(error, match=message):
        data.idx_folder(tmp_path)


def test_images_read_again_for_a_trained_model(tmp_path):
    X, _, X_test, y_test = write_folder(tmp_path / "tiny")
    description = data.idx_folder(tmp_path / "tiny").preprocessing
    np.testing.assert_array_equal(
        data.features(tmp_path / "tiny" / "train-images-idx3-ubyte", description), X.reshape(6, 6)
    )
    for given_X in (X_test, X_test.reshape(3, 6), X_test.astype(np.float32)):
        np.savez(tmp_path / "new.npz", X=given_X, y=y_test)
        features = data.features(tmp_path / "new.npz", description)
        assert features.dtype == np.uint8
        np.testing.assert_array_equal(features, X_test.reshape(3, 6))
    np.testing.assert_array_equal(data.examples(tmp_path / "new.npz", description)[1], y_test)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((3, 5)), r"has the shape \(3, 5\); the model was trained on \(n, 6\)"),
        (np.ones((3, 3, 2)), r"has the shape \(3, 3, 2\)"),
        (
            np.full((3, 6), 0.5),
            r"holds 0.5 to 0.5; the model was trained on whole numbers of uint8 \(0 to 255\)",
        ),
        (np.full((3, 6), 256), "holds 256 to 256"),
        (np.full((3, 6), -1), "holds -1 to -1"),
    ],
    ids=["width", "turned", "fraction", "large", "negative"],
)
def test_other_images_are_refused(X, message, tmp_path):
    write_folder(tmp_path)
    np.savez(tmp_path / "new.npz", X=X)
    with pytest.raises(DataError, match=message):
        data.features(tmp_path / "new.npz", data.idx_folder(tmp_path).preprocessing)


def test_a_csv_file_for_a_model_of_images_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"trained on arrays of the shape \(n, 8, 8\), not on columns"):
        data.features(tmp_path / "a.csv", data.digits().preprocessing)


def test_named_folders(tmp_path, monkeypatch):
    write_folder(tmp_path, zipped=True)
    mnist = data.load("mnist", data_dir=tmp_path)
    assert (mnist.name, mnist.classes) == ("mnist", tuple("0123456789"))
    damage_labels(tmp_path, LABELS, [0] * 6)  # read before the one that is packed
    with pytest.raises(DataError, match="holds 0 in every row"):
        data.load("mnist", data_dir=tmp_path)
    (tmp_path / LABELS).unlink()
    fashion = data.load("fashion-mnist", data_dir=tmp_path)
    assert fashion.name == "fashion-mnist"
    assert (fashion.classes[0], fashion.classes[9], len(fashion.classes)) == ("T-shirt/top", "Ankle boot", 10)
    monkeypatch.setattr(images, "FASHION_MNIST_PLACES", (tmp_path / "nowhere", tmp_path))
    np.testing.assert_array_equal(data.fashion_mnist().X, fashion.X)
    monkeypatch.setattr(images, "FASHION_MNIST_PLACES", (tmp_path / "nowhere",))
    with pytest.raises(FileNotFoundError, match=r"apt install dataset-fashion-mnist.*zalandoresearch.*--data-dir"):
        data.fashion_mnist()
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError, match="MNIST is the files"):
        data.mnist(tmp_path)


@pytest.mark.skipif(
    not any(place.is_dir() for place in images.FASHION_MNIST_PLACES),
    reason="Fashion-MNIST is not installed (apt install dataset-fashion-mnist)",
)
def test_fashion_mnist_is_the_published_one():
    fashion = data.load("fashion-mnist")
    assert (fashion.X.shape, fashion.X_test.shape) == ((60_000, 784), (10_000, 784))
    assert np.bincount(fashion.y).tolist() == [6000] * 10
    assert np.bincount(fashion.y_test).tolist() == [1000] * 10
    assert fashion.classes[fashion.y[0]] == "Ankle boot"  # the first picture of the paper's data set
