"""The data sets with names, the made-up ones, `load`, and `split`."""

import hashlib
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnxp import data
from nnxp.errors import DataError

# The source's own counts of its test part (scikit-learn's user guide gives the same).
DIGITS_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


# --- digits -----------------------------------------------------------------------------------------------


def test_digits_are_the_published_ones():
    digits = data.digits()
    assert digits.X.shape == (1797, 64)
    assert digits.X.dtype == np.uint8
    assert digits.y.dtype == np.int64
    assert (digits.X.min(), digits.X.max()) == (0, 16)
    assert np.bincount(digits.y).tolist() == DIGITS_COUNTS
    # Of scikit-learn 1.7's load_digits, data then target, both as uint8.
    content = digits.X.tobytes() + digits.y.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_equal_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn, an extra, is not installed")
    theirs = datasets.load_digits()
    np.testing.assert_array_equal(data.digits().X, theirs.data)
    np.testing.assert_array_equal(data.digits().y, theirs.target)


def test_every_dataset_describes_itself_in_json():
    for name in ("digits", "spiral", "moons"):
        dataset = data.load(name)
        description = json.loads(json.dumps(dataset.preprocessing))
        assert description["classes"] == list(dataset.classes)
        assert dataset.task == description["task"] == "classification"
        assert len(dataset.X) == len(dataset.y)
        assert dataset.X_test is None
        assert dataset.y_test is None


# --- spiral and moons -------------------------------------------------------------------------------------


def test_spiral_is_the_books_with_our_noise(monkeypatch):
    """The book's own code, fed the noise that ours must have used: recovered from its points' angles."""
    from nnfs.datasets import spiral_data

    X, y = data.spiral(50, 3, seed=5)
    radius = np.hypot(X[:, 0], X[:, 1])
    np.testing.assert_allclose(radius, np.tile(np.linspace(0, 1, 50), 3), rtol=0, atol=4e-16)
    base = np.concatenate([np.linspace(4 * k, 4 * (k + 1), 50) for k in range(3)])
    turn = np.arctan2(X[:, 0], X[:, 1]) / 2.5 - base  # known up to whole turns of 2π / 2.5
    noise = (turn + np.pi / 2.5) % (2 * np.pi / 2.5) - np.pi / 2.5
    draws = iter((noise / 0.2).reshape(3, 50))
    monkeypatch.setattr(np.random, "randn", lambda n: next(draws))
    X_book, y_book = spiral_data(samples=50, classes=3)
    np.testing.assert_allclose(X, X_book, rtol=0, atol=1e-13)  # angles up to 30: 30 eps, and the detour back
    np.testing.assert_array_equal(y, y_book)
    # 147 angles with noise 0.2 (three centres have none): the deviation is within 5 standard errors.
    inner = np.delete(noise, [0, 50, 100])
    assert abs(inner.std() - 0.2) < 5 * 0.2 / np.sqrt(2 * 147)
    assert abs(inner.mean()) < 5 * 0.2 / np.sqrt(147)


def test_spiral_shapes_dtypes_and_seeds():
    X, y = data.spiral(samples=7, classes=2, seed=1, dtype="float32")
    assert (X.shape, X.dtype, y.dtype) == ((14, 2), np.float32, np.int64)
    assert np.bincount(y).tolist() == [7, 7]
    np.testing.assert_array_equal(X, data.spiral(7, 2, seed=1)[0].astype(np.float32))
    assert not np.array_equal(X, data.spiral(7, 2, seed=2, dtype="float32")[0])
    assert not np.array_equal(data.spiral()[0], data.spiral()[0])


def test_moons_lie_on_their_circles():
    X, y = data.moons(9, noise=0.0)
    assert np.bincount(y).tolist() == [4, 5]
    assert (X.dtype, y.dtype) == (np.float64, np.int64)
    for label, centre in enumerate([(0, 0), (1, 0.5)]):
        np.testing.assert_allclose(np.hypot(*(X[y == label] - centre).T), 1, rtol=4e-16)
    assert (X[y == 0, 1] >= 0).all()
    assert (X[y == 1, 1] <= 0.5).all()


def test_moons_equal_scikit_learns_without_noise():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn, an extra, is not installed")
    X, y = datasets.make_moons(31, shuffle=False)
    np.testing.assert_allclose(data.moons(31, noise=0.0)[0], X, rtol=0, atol=4e-16)
    np.testing.assert_array_equal(data.moons(31, noise=0.0)[1], y)


def test_moons_noise_has_its_size_and_seed():
    difference = data.moons(2000, noise=0.3, seed=0)[0] - data.moons(2000, noise=0.0)[0]
    assert abs(difference.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * 4000)
    np.testing.assert_array_equal(data.moons(seed=3)[0], data.moons(seed=3)[0])
    assert not np.array_equal(data.moons()[0], data.moons()[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.spiral(samples=0), "samples has to be 1 or more; got 0"),
        (lambda: data.spiral(classes=-1), "classes has to be 1 or more; got -1"),
        (lambda: data.moons(samples=1), "samples has to be 2 or more; got 1"),
        (lambda: data.moons(noise=float("nan")), "noise has to be 0 or more; got nan"),
    ],
    ids=["samples", "classes", "moons", "noise"],
)
def test_made_up_data_refuse(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_nothing_changes_when_the_book_patches_numpy(tmp_path):
    """In a process of its own: nnfs.init() replaces np.zeros, np.eye, np.dot and np.random.randn for good."""
    script = """
import hashlib, sys
import numpy as np
if sys.argv[1] == "patched":
    import nnfs; nnfs.init()
    assert np.zeros(1).dtype == np.float32
from nnxp import data
parts = []
digits = data.digits().hold_out(0.2, seed=0)
for d in (data.load("spiral"), data.load("moons"), digits, data.csv(sys.argv[2], "c")):
    parts += [d.X, d.y]
    parts += [] if d.X_test is None else [d.X_test]
print([(p.dtype.name, p.shape, hashlib.sha256(p.tobytes()).hexdigest()) for p in parts], d.rescale)
"""
    table = tmp_path / "t.csv"
    table.write_text("a,b,c\n1,x,u\n2.5,y,v\n3,x,u\n")
    results = [
        subprocess.run([sys.executable, "-c", script, how, table], capture_output=True, text=True, check=True).stdout
        for how in ("plain", "patched")
    ]
    assert "float64" in results[0]
    assert results[0] == results[1]


# --- load -------------------------------------------------------------------------------------------------


def test_load_finds_by_name_and_ending(tmp_path):
    assert data.load("digits").name == "digits"
    assert data.load("Spiral").X.shape == (300, 2)
    assert data.load("moons").classes == ("0", "1")
    np.testing.assert_array_equal(data.load("spiral").X, data.load("spiral").X)
    (tmp_path / "a.CSV").write_text("x,t\n1,a\n2,b\n")
    assert data.load(tmp_path / "a.CSV", target="t").classes == ("a", "b")
    np.savez(tmp_path / "b.npz", X=np.ones((2, 3)), y=[0, 1], z=[0.5, 1.5])
    assert data.load(str(tmp_path / "b.npz")).task == "classification"
    assert data.load(tmp_path / "b.npz", target="z").task == "regression"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("digit",), DataError, "no data set, file or folder 'digit'. Did you mean 'digits'.*spiral, moons"),
        (("no-such-thing-at-all",), DataError, "'no-such-thing-at-all'. The names are digits"),
        (("digits", "folder"), DataError, "--data-dir .* digits takes none"),
        (("digits", None, "y"), DataError, "--target .* digits takes none"),
        (("missing.csv", None, "y"), FileNotFoundError, "missing.csv"),
        (("missing.npz",), FileNotFoundError, "missing.npz"),
        (("mnist",), FileNotFoundError, "train-images-idx3-ubyte.*--data-dir"),
        (
            ("fashion_mnist", "nowhere"),
            FileNotFoundError,
            "train-images.*apt install dataset-fash.*--data-dir",
        ),
    ],
    ids=["close", "far", "data-dir", "target", "csv", "npz", "mnist", "fashion"],
)
def test_load_refuses(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        data.load(*arguments)


def test_load_refuses_a_file_of_another_kind(tmp_path):
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    for target in (None, "y"):
        with pytest.raises(DataError, match=r"a file has to be .csv or .npz; got .xlsx"):
            data.load(tmp_path / "sheet.xlsx", target=target)
    with pytest.raises(DataError, match="--target .* takes none"):
        data.load(tmp_path, target="y")


def test_importing_data_is_light():
    """What would slow the import down is imported where it is used."""
    script = """
import sys, numpy
before = {*sys.modules}
import nnxp.data
print(*{"zipfile", "difflib", "sklearn", "torch", "pandas"} & ({*sys.modules} - before))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


# --- split ------------------------------------------------------------------------------------------------


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    fraction=st.floats(0.02, 0.98),
    seed=st.integers(0, 2**40),
    mix=st.randoms(use_true_random=False),
)
def test_split_keeps_every_class_share(counts, fraction, seed, mix):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    mix.shuffle(labels)
    y, counts = np.array(labels), np.array(counts)
    total = round(fraction * len(y))
    assume(0 < total < len(y))
    # No division within one row of the shares leaves every class a row to train on:
    if np.minimum(counts * total // len(y) + 1, counts - 1).sum() < total:
        with pytest.raises(DataError, match="to train on: lower the fraction"):
            data.split(y, fraction, seed)
        return
    train, held_out = data.split(y, fraction, seed)
    assert train.dtype == held_out.dtype == np.int64
    assert len(held_out) == total
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(y)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    taken = np.bincount(y[held_out], minlength=len(counts))
    assert (np.abs(taken * len(y) - counts * total) <= len(y)).all()  # whole numbers: within one row
    assert (taken < counts).all()
    again = data.split(y, fraction, seed)
    np.testing.assert_array_equal(again[1], held_out)


def test_split_takes_the_largest_remainders():
    """7, 5 and 4 rows, 6 of 16 held out: quotas 2.625, 1.875 and 1.5, so 2 + 1, 1 + 1 and 1."""
    y = np.repeat([3, 7, 9], [7, 5, 4])
    for seed in range(5):
        held_out = data.split(y, 0.375, seed)[1]
        assert np.unique(y[held_out], return_counts=True)[1].tolist() == [3, 2, 1]


def test_split_depends_on_the_seed_and_favours_no_row():
    y = np.repeat([0, 1], [30, 10])
    parts = [data.split(y, 0.5, seed)[1] for seed in range(400)]
    times = np.bincount(np.concatenate(parts), minlength=40)
    assert len({part.tobytes() for part in parts}) == 400
    # Each row is held out with probability 1/2 in 400 splits: 200, standard deviation 10; 40 rows, 5 of them.
    assert (np.abs(times - 200) < 50).all()
    # Three equal classes for the one odd row: each gets it sometimes.
    y = np.repeat([0, 1, 2], 3)
    odd = [np.bincount(y[data.split(y, 4 / 9, seed)[1]]).argmax() for seed in range(60)]
    assert set(odd) == {0, 1, 2}


def test_split_without_classes():
    for rows in (10, np.int64(10), np.linspace(0, 1, 10), np.ones((10, 2)), list(np.linspace(0, 1, 10))):
        train, held_out = data.split(rows, 0.3, seed=0)
        assert len(train) == 7
        np.testing.assert_array_equal(held_out, data.split(10, 0.3, seed=0)[1])
    lonely = np.array([0] * 9 + [1])
    np.testing.assert_array_equal(data.split(lonely, 0.3, seed=0, stratify=False)[1], data.split(10, 0.3, seed=0)[1])


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        ([0, 0, 0, 8], 0.5, "class 8 has one row only"),
        ([0, 0, 1, 1], 0.75, "holding out 3 of 4 rows leaves none of class [01] to train on"),
        (10, 0.0, "between 0 and 1 .*; got 0.0"),
        (10, 1.0, "between 0 and 1 .*; got 1.0"),
        (10, 20, "between 0 and 1 .*; got 20"),
        (10, float("nan"), "between 0 and 1 .*; got nan"),
        (10, 0.01, "holding out 0.01 of 10 rows leaves 10 to train on and 0 held out"),
        (2, 0.9, "leaves 0 to train on and 2 held out"),
        (0, 0.5, "of 0 rows"),
        ([], 0.5, "of 0 rows"),
    ],
    ids=[
        "lonely",
        "emptied",
        "zero",
        "one",
        "percent",
        "nan",
        "none held out",
        "none left",
        "no rows",
        "empty",
    ],
)
def test_split_refuses(y, fraction, message):
    with pytest.raises(DataError, match=message):
        data.split(y, fraction, seed=0)


def test_hold_out_divides_and_scales_by_the_rows_that_stay(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(5, 3, (40, 2)), np.repeat([0, 1], 20)
    np.savez(tmp_path / "a.npz", X=X, y=y)
    whole = data.npz(tmp_path / "a.npz")
    for seed in range(5):
        part = whole.hold_out(0.25, seed)
        train, test = data.split(y, 0.25, seed)
        np.testing.assert_array_equal(part.X, X[train])
        np.testing.assert_array_equal(part.y, y[train])
        np.testing.assert_array_equal(part.X_test, X[test])
        np.testing.assert_array_equal(part.y_test, y[test])
    scale, offset = part.rescale
    # 30 rows: sums are exact to 30 eps of values up to 15 or so, then divided by 3.
    np.testing.assert_allclose(scale, 1 / X[train].std(axis=0), rtol=30 * 2.2e-16)
    np.testing.assert_allclose((part.X * scale + offset).mean(axis=0), 0, atol=200 * 2.2e-16)
    assert part.rescale != whole.rescale
    with pytest.raises(DataError, match="has a test part of its own"):
        part.hold_out(0.25, seed=1)
    assert data.digits().hold_out(0.2, seed=0).rescale == (1 / 16, 0.0)


def test_columns_that_cannot_be_standardised_are_switched_off(tmp_path):
    X = np.array([[0.1, 1e300, 3e-320, 1e308, 7.0], [0.1, -1e300, 1e-320, 1e308, 8.0], [0.1, 1e300, 0, 1e308, 9.0]])
    np.savez(tmp_path / "a.npz", X=X, y=[0.5, 1.5, 2.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale, offset = data.npz(tmp_path / "a.npz").rescale
    assert [value == 0 for value in scale] == [True, False, True, True, False]
    assert [value == 0 for value in offset] == [True, False, True, True, False]
    Z = X[:, [1, 4]] * np.take(scale, [1, 4]) + np.take(offset, [1, 4])
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(Z.std(axis=0), 1, rtol=1e-14)
