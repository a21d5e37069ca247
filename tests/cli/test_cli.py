"""The command line: real runs, what they leave behind, and every failure in one line."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import data, plots
from nnxp.cli import main, runs
from nnxp.cli.recipes import RECIPES, is_table, recipe_for
from nnxp.cli.results import fingerprint
from nnxp.cli.runs import FILES
from nnxp.cli.settings import NUMBERS, schedule_for
from nnxp.doors.naming import snake_case
from nnxp.losses import StandardisedLoss
from nnxp.schedules import SCHEDULES
from nnxp.tabular import Encoder, read
from tests.helpers.matrix import Target

ROOT = Path(__file__).resolve().parents[2]
EPS = float(np.finfo(np.float32).eps)
SHORT = ("--epochs", "2", "--hidden", "8", "--quiet")
OF_SOME = {"report.html", "playground.html"}  # of a table, and where it is asked for
WRITTEN = sorted({*FILES} - OF_SOME)
"""What a run on anything but a table leaves."""

Command = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture takes longer than a short training: most tests write a word instead."""
    if "real_pictures" not in request.fixturenames:
        monkeypatch.setattr(plots, "training", lambda history, path, **rest: Path(path).write_text("picture"))


@pytest.fixture
def real_pictures() -> None:
    """Asks for matplotlib's."""


@pytest.fixture
def nnxp_ok(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command that has to work, in silence on standard error; gives what it printed."""

    def run(*words: object) -> str:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def nnxp_fails(capsys: pytest.CaptureFixture[str], here: Path) -> Command:
    """Runs a command that has to fail in one line and leave every file as it was; gives the line.

    Of a table, what was read of it may have been said before.
    """

    def run(*words: object) -> str:
        before = tree(here)
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        reads = "--quiet" not in words and any(is_table(str(word)) for word in words)
        said = [line for line in out.splitlines() if not reads or not line.startswith(("reading   ", " " * 10))]
        assert (code, said) == (2, [])
        assert err.startswith("nnxp: error: ") and err.endswith("\n") and err.count("\n") == 1
        assert tree(here) == before
        return err

    return run


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file's content and every folder, hidden ones too."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return path


def flowers(path: Path, n: int = 90) -> Path:
    """Three classes apart, two columns of numbers and one of words; names that rich, TeX or a font might trip over."""
    r = np.random.default_rng(0)
    kind = np.arange(n) % 3
    a, b = (r.normal(size=n) * 0.1 + 10 * (kind == k) for k in (0, 1))
    return write_csv(path, {
        "length": a.tolist(), "width": (100 * b + 7).tolist(), "place": ["hill", "valley"] * (n // 2),
        "species": [("setosa", "[/b]꽃", "vir$gin$ica")[k] for k in kind],
    })  # fmt: skip


def prices(path: Path, scale: float, n: int = 120) -> Path:
    r = np.random.default_rng(1)
    x = r.normal(size=(n, 2))
    y = (x[:, 0] + np.sin(2 * x[:, 1]) + 0.25) * scale
    return write_csv(path, {"a": x[:, 0].tolist(), "b": x[:, 1].tolist(), "price": y.tolist()})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained models, digits.safetensors, flowers.safetensors and older.safetensors, and flowers.csv; copied by who
    changes them."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "training", lambda *args, **rest: None)
        flowers(folder / "flowers.csv")
        for name, words in (
            ("digits", ["digits", "--seed", "3"]),
            (
                "flowers",
                [str(folder / "flowers.csv"), "--target", "species", "--learning-rate", "0.05", "--batch-size", "16"],
            ),
        ):
            assert (
                main(["train", *words, "--out", str(folder / name), "--epochs", "8", "--hidden", "16", "--quiet"]) == 0
            )
            (folder / name / "model.safetensors").rename(folder / f"{name}.safetensors")
    older(folder / "flowers.csv", "species").save(folder / "older.safetensors")
    return folder


def older(path: Path, target: str) -> nnxp.Sequential:
    """A model of a table's columns as `nnxp train` made and saved them before there were encoders."""
    dataset = data.load(str(path), target=target)
    held_out = {"share": 0.2, "seed": 0, "sha256": fingerprint(dataset.X, dataset.y)}
    parts = dataset.hold_out(0.2, 0)
    assert parts.rescale is not None
    width, outputs = parts.X.shape[1], 1 if parts.classes is None else len(parts.classes)
    layers: list[Any] = [nnxp.Rescaling(*parts.rescale), nnxp.Dense(width, 16), "relu", nnxp.Dense(16, outputs)]
    layers += [] if parts.classes is None else ["softmax"]
    loss = "mean_squared_error" if parts.classes is None else "categorical_crossentropy"
    model = nnxp.Sequential(layers, loss, nnxp.Adam(0.05), backend="numpy", seed=0)
    model.fit(parts.X, parts.y, epochs=8)
    model.classes = None if parts.classes is None else list(parts.classes)
    model.preprocessing = parts.preprocessing | {"held_out": held_out}
    return model


# --- help and version --------------------------------------------------------------------------------


def test_alone_it_prints_help(nnxp_ok: Command) -> None:
    text = nnxp_ok()
    assert text.startswith("usage: nnxp")
    assert all(command in text for command in ("train", "evaluate", "predict"))
    assert text == nnxp_ok("--help")


def test_version(nnxp_ok: Command) -> None:
    assert nnxp_ok("--version") == f"nnxp {nnxp.__version__}\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            "train digits --hiden 32",
            "got --hiden, which is no option; did you mean --hidden? (see nnxp train --help)",
        ),
        ("doctor --jsn=1", "got --jsn, which is no option; did you mean --json? (see nnxp doctor --help)"),
        ("train digits --zzz", "got --zzz, which is no option (see nnxp train --help)"),
        ("train digits -z", "got -z, which is no option (see nnxp train --help)"),
        (
            "train my.csv price",
            "got 'price', a word too many: expected an option before it, --target price say (see nnxp train --help)",
        ),
        ("doctor more", "got 'more', a word too many: expected an option before it (see nnxp doctor --help)"),
    ],
)
def test_unknown_words(words: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert capsys.readouterr().err == f"nnxp: error: {text}\n"


@pytest.mark.parametrize("words", [["--version"], ["train", "--help"]])
def test_words_about_itself_cost_nothing(words: list[str]) -> None:
    code = f"import sys; from nnxp.cli import main; main({words}); print(*sys.modules)"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numpy", "rich", "matplotlib", "safetensors", "array_api_compat"}


def test_help_names_the_settings_of_every_data_set(nnxp_ok: Command) -> None:
    text = nnxp_ok("train", "--help")
    assert set(data.NAMES) < set(RECIPES)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for name, recipe in RECIPES.items():
        assert f"{name} {recipe}" in lines


# --- training ----------------------------------------------------------------------------------------


def test_run_folder(backend: Target, nnxp_ok: Command) -> None:
    network = ("--hidden", "32,16", "--activation", "relu", "--dropout", "0.25", "--input-dropout", "0")
    training = ("--epochs", "3", "--batch-size", "100", "--seed", "5", "--backend", backend.spec)
    text = nnxp_ok("train", "digits", *network, *training)
    folder = Path("runs/digits")
    assert sorted(os.listdir(folder)) == WRITTEN
    summary = json.loads((folder / "summary.json").read_text())
    expected = {
        "data": "digits", "task": "classification", "features": 64, "classes": list("0123456789"),
        "training_samples": 1438, "validation_samples": 0, "test_samples": 359, "epochs": 3, "seed": 5,
        "batch_size": 100, "backend": backend.spec, "dtype": "float32",
        "loss": "categorical_crossentropy", "parameters": 64 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10,
    }  # fmt: skip
    assert summary | expected == summary
    assert summary["architecture"][:4] == ["Rescaling", "Dense(64, 32)", "ReLU", "Dropout(0.25)"]
    assert summary["optimizer"]["class"] == "Adam"
    versions = summary["versions"]
    assert versions["nnxp"] == nnxp.__version__ and versions["numpy"] == np.__version__
    assert versions[backend.module] == backend.xp.__version__
    rate, seconds = summary["samples_per_second"], summary["wall_seconds"]
    rounded = 0.05 / rate + 0.0005 / (seconds - 0.0005)
    assert rate * seconds == pytest.approx(3 * 1438, rel=1.01 * rounded)

    history = read_csv((folder / "history.csv").read_text())
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert {"loss", "accuracy", "test_loss", "test_accuracy", "learning_rate", "seconds"} < set(history[0])
    assert float(history[-1]["loss"]) < float(history[0]["loss"])

    # The rows set aside, the accuracy on them and the rescaling, by hand.
    digits = data.digits()
    test = data.split(digits.y, 0.2, 5)[1]
    model = nnxp.load(folder / "model.safetensors", backend="numpy")
    guesses = model.predict(digits.X[test]).argmax(axis=1)
    correct = int((guesses == digits.y[test]).sum())
    assert summary["test_correct"] == correct and summary["test_accuracy"] == correct / 359
    assert float(history[-1]["test_accuracy"]) == pytest.approx(correct / 359, rel=1e-6)
    assert f"test accuracy {correct / 359:.3f} ({correct} of 359)" in text
    scale, offset = RECIPES["digits"].rescale or digits.rescale or (1.0, 0.0)
    assert model.layers[0].config() == {"class": "Rescaling", "scale": scale, "offset": offset}
    assert model.classes == list("0123456789") and model.history["val_accuracy"] == [
        float(row["test_accuracy"]) for row in history
    ]

    # And evaluate, on that backend, tests the same rows.
    result = json.loads(
        nnxp_ok("evaluate", folder / "model.safetensors", "digits", "--json", "--backend", backend.spec)
    )
    assert (result["part"], result["samples"], result["correct"]) == ("held out", 359, correct)
    assert result["accuracy"] == correct / 359


def test_what_it_says(nnxp_ok: Command) -> None:
    text = nnxp_ok("train", "digits", "--epochs", "1", "--hidden", "8,8", "--out", "here", "--backend", "auto")
    words = " ".join(text.split())
    assert "digits: 1,438 samples to train on, 359 to test on; 64 features, 10 classes" in words
    assert (
        f"64-8-8-10, {RECIPES['digits'].activation}" in words and "adam, learning rate" in words and "seed 0" in words
    )
    assert f", chosen since {nnxp.get_backend('auto').reason}" in words
    assert "class taken for samples" in words  # the pairs most often confused
    assert "written to here: model.safetensors, history.csv, summary.json, curves.png" in words


def test_settings_replace_the_recipe(nnxp_ok: Command) -> None:
    nnxp_ok(
        "train", "moons", "--hidden", "5", "--activation", "tanh", "--dropout", "0.25", "--optimizer", "sgd",
        "--momentum", "0.9", "--decay", "1e-3", "--clip-norm", "2", "--epochs", "3", "--batch-size", "16",
        "--dtype", "float64", "--quiet",
    )  # fmt: skip
    summary = json.loads(Path("runs/moons/summary.json").read_text())
    assert summary["architecture"] == ["Dense(2, 5)", "Tanh", "Dropout(0.25)", "Dense(5, 2)", "Softmax"]
    options = {"class": "SGD", "learning_rate": 0.01, "momentum": 0.9, "decay": 1e-3, "clip_norm": 2.0}
    assert summary["optimizer"] | options == summary["optimizer"]
    assert (summary["epochs"], summary["batch_size"], summary["dtype"]) == (3, 16, "float64")


def test_another_optimizer_does_not_inherit_the_learning_rate(nnxp_ok: Command) -> None:
    nnxp_ok("train", "digits", *SHORT, "--optimizer", "sgd")
    assert RECIPES["digits"].optimizer_options["learning_rate"] != 0.01
    assert json.loads(Path("runs/digits/summary.json").read_text())["optimizer"]["learning_rate"] == 0.01


def test_no_hidden_layers(nnxp_ok: Command) -> None:
    nnxp_ok("train", "digits", "--hidden", "none", "--input-dropout", "0.125", "--epochs", "1", "--quiet")
    summary = json.loads(Path("runs/digits/summary.json").read_text())
    assert summary["architecture"] == ["Rescaling", "Dropout(0.125)", "Dense(64, 10)", "Softmax"]


def test_recipes_go_by_name_not_by_file(here: Path) -> None:
    assert recipe_for("Fashion_MNIST") is RECIPES["fashion-mnist"]
    assert recipe_for("digits.csv") is recipe_for("DIGITS.TXT.gz") is recipe_for("-") is RECIPES["a table"]
    assert recipe_for("digits.npz") is RECIPES["a file"]
    assert recipe_for(str(here)) is RECIPES["a folder"]


def test_quiet_prints_nothing(nnxp_ok: Command) -> None:
    assert nnxp_ok("train", "spiral", *SHORT) == ""


def test_same_seed_same_run(nnxp_ok: Command) -> None:
    for out in ("one", "two"):
        nnxp_ok("train", "spiral", *SHORT, "--seed", "7", "--out", out)
    one, two = (
        [row | {"seconds": ""} for row in read_csv(Path(out, "history.csv").read_text())] for out in ("one", "two")
    )
    assert one == two


def test_validation_split_is_taken_from_the_training_rows(nnxp_ok: Command) -> None:
    text = nnxp_ok("train", "digits", "--epochs", "1", "--validation-split", "0.25")
    assert "1,078 samples to train on, 360 to follow, 359 to test on" in text
    summary = json.loads(Path("runs/digits/summary.json").read_text())
    held = round(0.25 * 1438)
    parts = [summary[f"{part}_samples"] for part in ("training", "validation", "test")]
    assert parts == [1438 - held, held, 359]
    history = read_csv(Path("runs/digits/history.csv").read_text())
    assert "validation_accuracy" in history[0] and "test_accuracy" not in history[0]


def test_columns_are_scaled_by_the_training_rows_only(here: Path, nnxp_ok: Command) -> None:
    """By their median m and quartiles: z = (x - m)/(q75 - q25), clipped to z / sqrt(1 + (z/3)^2)."""
    flowers(here / "flowers.csv")
    text = nnxp_ok("train", "flowers.csv", "--target", "species", "--epochs", "1", "--out", "run")
    assert "[/b]꽃" in text and "vir$gin$ica" in text  # the confusion matrix of three classes
    rows = read_csv((here / "flowers.csv").read_text())
    names = sorted({row["species"] for row in rows})
    train = data.split(np.array([names.index(row["species"]) for row in rows]), 0.2, 0)[0]
    length = np.array([float(rows[i]["length"]) for i in train])
    encoder = Encoder.of(nnxp.load("run/model.safetensors"))
    assert encoder is not None and encoder.feature_names_out == ["length", "width", "place=valley"]
    low, median, high = np.quantile(length, [0.25, 0.5, 0.75])
    assert abs(median - np.median([float(row["length"]) for row in rows])) > 1e-3  # that of all rows is another
    z = (length - median) / (high - low)
    X = encoder.transform(read("flowers.csv"))
    assert X[train, 0] == pytest.approx(z / np.sqrt(1 + (z / 3) ** 2), rel=2 * EPS, abs=4e-15)  # rounded to float32
    assert X[:, 2].tolist() == [1.0 if row["place"] == "valley" else -1.0 for row in rows]


@pytest.mark.long
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
@pytest.mark.parametrize("loss", ["mean_squared_error", "huber"])
def test_regression_does_not_depend_on_units(here: Path, nnxp_ok: Command, optimizer: str, loss: str) -> None:
    """Scaling by a power of two is exact, so everything is equal to the last bit: losses, which are of the target in
    standard deviations, and in its units the errors and what is predicted."""
    records = {}
    for scale in (1.0, 2.0**13, 2.0**-10):
        prices(here / "prices.csv", scale)
        nnxp_ok(
            "train", "prices.csv", "--target", "price", "--optimizer", optimizer, "--loss", loss, "--epochs", "20",
            "--quiet", "--overwrite", "--out", "run",
        )  # fmt: skip
        history = read_csv(Path("run/history.csv").read_text())
        summary = json.loads(Path("run/summary.json").read_text())
        predicted = nnxp_ok("predict", "run/model.safetensors", "prices.csv").splitlines()
        assert predicted[0] == "price"
        records[scale] = (
            [float(row["loss"]) for row in history],
            [float(row["rmse"]) / scale for row in history],
            summary["test_rmse"] / scale,
            summary["test_r2"],
            [float(text) / scale for text in predicted[1:]],
        )
    assert records[1.0] == records[2.0**13] == records[2.0**-10]
    if optimizer == "adam":
        truth = np.array([float(row["price"]) for row in read_csv(prices(here / "p.csv", 1.0).read_text())])
        assert np.std(np.array(records[1.0][4]) - truth) < 0.75 * np.std(truth)  # and it learns


def test_a_history_has_the_units_of_its_run(here: Path, nnxp_ok: Command) -> None:
    """The last epoch's error on the test rows is the run's, but for logarithms, whose errors have no such unit."""
    r = np.random.default_rng(6)
    a = r.normal(size=100)
    write_csv(here / "t.csv", {"a": a.tolist(), "price": (3000 + 400 * a).tolist(), "size": np.exp(3 * a).tolist()})
    for target, drop in (("price", "size"), ("size", "price")):
        words = ("--target", target, "--drop", drop, "--validation-split", 0, "--epochs", 3, "--out", target, "--quiet")
        nnxp_ok("train", "t.csv", *words)
    last = read_csv(Path("price/history.csv").read_text())[-1]
    summary = json.loads(Path("price/summary.json").read_text())
    assert float(last["test_rmse"]) == pytest.approx(summary["test_rmse"], rel=100 * EPS)  # of 20 squares in float32
    assert not any("rmse" in name for name in read_csv(Path("size/history.csv").read_text())[0])


def test_a_logarithm_does_not_depend_on_units(here: Path, nnxp_ok: Command) -> None:
    """log(cy) = log c + log y: what is learned is the same but for float64's rounding of logarithms up to 40, which
    float32 mostly rounds away, and a few steps do not make large."""
    r = np.random.default_rng(7)
    a, found = r.normal(size=100), {}
    for scale in (1.0, 2.0**40):
        write_csv(here / "t.csv", {"a": a.tolist(), "y": (np.exp(3 * a) * scale).tolist()})
        said = nnxp_ok("train", "t.csv", "--target", "y", "--epochs", 3, "--out", "run", "--overwrite")
        assert "y: its logarithm is learned" in said
        predicted = read_csv(nnxp_ok("predict", "run/model.safetensors", "t.csv"))
        found[scale] = np.array([float(row["y"]) for row in predicted]) / scale
    assert found[2.0**40] == pytest.approx(found[1.0], rel=1e4 * EPS)


def test_standardised_loss_has_the_gradient_of_its_definition(backend: Target) -> None:
    r = np.random.default_rng(2)
    p, y = r.normal(size=(5, 2)) * [1000, 0.001], r.normal(size=(5, 2)) * [1000, 0.001]
    sigma = [1000.0, 0.001]
    loss = StandardisedLoss("mean_squared_error", sigma)
    loss._on(nnxp.get_backend(backend.spec, "float64"), "float64")
    gradient = loss.backward(backend.asarray(p), backend.asarray(y))
    expected = 2 * (p - y) / np.square(sigma) / 2 / 5
    backend.assert_close(gradient, expected, rtol=1e-13)  # a handful of roundings, one cancellation near 1
    value = loss.calculate(backend.asarray(p), backend.asarray(y))
    backend.assert_close(value, np.mean(((p - y) / sigma) ** 2), rtol=1e-13)


def test_several_outputs(here: Path, nnxp_ok: Command) -> None:
    X = np.random.default_rng(3).normal(size=(60, 3))
    np.savez(here / "two.npz", X=X, y=np.stack([X[:, 0] * 1000, X[:, 1] / 1000], axis=1))
    text = nnxp_ok("train", "two.npz", "--epochs", "200", "--learning-rate", "0.02", "--hidden", "none")
    assert "2 numbers to predict" in text and "R²" in text
    assert json.loads(Path("runs/two/summary.json").read_text())["test_r2"] > 0.99  # linear, both units
    predictions = read_csv(nnxp_ok("predict", "runs/two/model.safetensors", "two.npz"))
    assert list(predictions[0]) == ["y0", "y1"] and len(predictions) == 60
    text = nnxp_ok("evaluate", "runs/two/model.safetensors", "two.npz")
    assert "the 12 samples that the model's own training set aside" in text and "rmse" in text and "loss" not in text


def test_npz_with_a_test_part(here: Path, nnxp_ok: Command) -> None:
    X, y = data.moons(80, seed=1)
    X_test, y_test = data.moons(30, seed=2)
    np.savez(here / "both.npz", X=X, y=y, X_test=X_test, y_test=y_test)
    np.savez(here / "new.npz", X=X_test, y=y_test)
    nnxp_ok("train", "both.npz", *SHORT, "--out", "run")
    summary = json.loads(Path("run/summary.json").read_text())
    assert (summary["training_samples"], summary["test_samples"]) == (80, 30)
    both = json.loads(nnxp_ok("evaluate", "run/model.safetensors", "both.npz", "--json"))
    new = json.loads(nnxp_ok("evaluate", "run/model.safetensors", "new.npz", "--json"))
    assert (both["part"], both["samples"], new["part"], new["samples"]) == ("test", 30, "all", 30)
    assert both["correct"] == new["correct"] == summary["test_correct"]
    assert "all 30 samples" in nnxp_ok("evaluate", "run/model.safetensors", "new.npz")


def test_a_far_array_asks_for_float64(here: Path, nnxp_ok: Command, nnxp_fails: Command) -> None:
    """1.7e9 ± 10: float32 knows steps of 128 there."""
    r = np.random.default_rng(4)
    near, far = r.normal(size=60), 1.7e9 + 10 * r.normal(size=60)
    for name, X, y in (("feature", np.stack([near, far], axis=1), near + 0.5), ("target", near[:, None], far)):
        np.savez(here / f"{name}.npz", X=X, y=y)
        error = nnxp_fails("train", f"{name}.npz", *SHORT)
        assert "--dtype float64" in error and ("feature 2" in error) == (name == "feature")
        nnxp_ok("train", f"{name}.npz", *SHORT, "--dtype", "float64")


def test_a_far_column_of_a_table_is_no_problem(here: Path, nnxp_ok: Command) -> None:
    """It is scaled in float64: 1.7e9 ± 10 is learned from, and learned, in float32."""
    r = np.random.default_rng(4)
    a = r.normal(size=200)
    write_csv(here / "far.csv", {"time": (1.7e9 + 10 * a).tolist(), "y": (1.7e9 + 5 * a).tolist()})
    nnxp_ok("train", "far.csv", "--target", "y", "--quiet", "--out", "run", "--dropout", 0)
    assert json.loads(Path("run/summary.json").read_text())["test_r2"] > 0.9
    got = [float(row["y"]) for row in read_csv(nnxp_ok("predict", "run/model.safetensors", "far.csv"))]
    assert np.std(np.array(got) - (1.7e9 + 5 * a)) < 0.3 * 5


def test_a_folder_of_images_and_its_picture(here: Path, nnxp_ok: Command, real_pictures: None) -> None:
    digits = data.digits()
    for part, rows in (("train", slice(0, 300)), ("t10k", slice(300, 400))):
        images, labels = digits.X[rows], digits.y[rows].astype(np.uint8)
        head = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (len(images), 8, 8))
        (here / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (here / f"{part}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + len(labels).to_bytes(4, "big") + labels.tobytes()
        )
    nnxp_ok("train", here, *SHORT, "--out", "run")
    assert Path("run/curves.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads(nnxp_ok("evaluate", "run/model.safetensors", here, "--json"))
    assert (result["part"], result["samples"]) == ("test", 100)
    predictions = read_csv(nnxp_ok("predict", "run/model.safetensors", "t10k-images-idx3-ubyte"))
    assert len(predictions) == 100 and list(predictions[0]) == ["class", *(f"p({k})" for k in range(10))]


@pytest.mark.parametrize("name", ["spiral", "flowers.csv", "prices.csv"])
def test_pictures_of_other_data(here: Path, nnxp_ok: Command, real_pictures: None, name: str) -> None:
    flowers(here / "flowers.csv")
    prices(here / "prices.csv", 1.0)
    target = {"flowers.csv": ["--target", "species"], "prices.csv": ["--target", "price"]}.get(name, [])
    nnxp_ok("train", name, *target, *SHORT, "--out", "run")
    assert Path("run/curves.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, nnxp_ok: Command, real_pictures: None) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    text = nnxp_ok("train", "spiral", "--epochs", "1")
    (line,) = [line for line in text.splitlines() if "nnxp[plot]" in line]
    assert line == 'no curves.png: pictures need matplotlib: pip install "nnxp[plot]"'
    assert sorted(os.listdir("runs/spiral")) == sorted({*WRITTEN} - {"curves.png"})
    assert nnxp_ok("evaluate", "runs/spiral/model.safetensors", "spiral")


def test_a_picture_that_fails_does_not_cost_the_model(monkeypatch: pytest.MonkeyPatch, nnxp_ok: Command) -> None:
    def fail(history: Any, path: Path, **rest: Any) -> None:
        path.write_text("half")
        raise RuntimeError("no font")

    monkeypatch.setattr(plots, "training", fail)
    assert "no curves.png: drawing it failed (RuntimeError: no font)" in nnxp_ok("train", "spiral", "--epochs", "1")
    assert sorted(os.listdir("runs/spiral")) == sorted({*WRITTEN} - {"curves.png"})


# --- evaluating and predicting -----------------------------------------------------------------------


def test_evaluate_says_which_rows(here: Path, models: Path, nnxp_ok: Command) -> None:
    model = models / "flowers.safetensors"
    text = nnxp_ok("evaluate", model, models / "flowers.csv")
    assert "the 18 samples that the model's own training set aside" in text
    assert "accuracy 1.000 (18 of 18); loss" in text  # classes far apart
    lines = (models / "flowers.csv").read_text().splitlines()
    (here / "some.csv").write_text("\n".join(lines[:31]) + "\n")
    assert "all 30 samples" in nnxp_ok("evaluate", model, "some.csv")


def test_predict_gives_classes_and_probabilities(here: Path, models: Path, nnxp_ok: Command) -> None:
    rows = read_csv((models / "flowers.csv").read_text())
    columns = {name: [row[name] for row in rows] for name in ("place", "width", "length")}  # no target, other order
    write_csv(here / "new.csv", columns)
    text = nnxp_ok("predict", models / "flowers.safetensors", "new.csv")
    predictions = read_csv(text)
    names = ["[/b]꽃", "setosa", "vir$gin$ica"]
    assert list(predictions[0]) == ["class", *(f"p({name})" for name in names)]
    assert [p["class"] for p in predictions] == [row["species"] for row in rows]
    model = nnxp.load(models / "flowers.safetensors")
    encoder = Encoder.of(model)
    assert encoder is not None
    expected = model.predict(encoder.transform(read(models / "flowers.csv")))
    got = np.array([[np.float32(p[f"p({name})"]) for name in names] for p in predictions])
    assert np.array_equal(got, expected)  # nothing is lost in the text

    said = nnxp_ok("predict", models / "flowers.safetensors", "new.csv", "--out", "p.csv")
    assert said == "90 predictions written to p.csv\n" and Path("p.csv").read_text() == text
    Path("p.csv").write_text("old")
    nnxp_ok("predict", models / "flowers.safetensors", "new.csv", "--out", "p.csv", "--overwrite")
    assert Path("p.csv").read_text() == text and sorted(os.listdir()) == ["new.csv", "p.csv"]


def test_a_model_from_before_encoders_still_works(here: Path, models: Path, nnxp_ok: Command) -> None:
    """Its file says nothing of kinds: it is read, tested and predicted with as it was made."""
    for name, target in (("flowers", "species"), ("prices", "price")):
        (flowers(here / "flowers.csv") if name == "flowers" else prices(here / "prices.csv", 1.0))
        model, dataset = older(here / f"{name}.csv", target), data.load(f"{name}.csv", target=target)
        model.save("model.safetensors")
        test = dataset.hold_out(0.2, 0)
        result = json.loads(nnxp_ok("evaluate", "model.safetensors", f"{name}.csv", "--json"))
        assert (result["part"], result["samples"]) == ("held out", len(test.X_test))
        assert result["loss"] == pytest.approx(model.evaluate(test.X_test, test.y_test)["loss"], rel=1e-6)
        assert "findings" not in result
        text = nnxp_ok("evaluate", "model.safetensors", f"{name}.csv")
        assert text.startswith(f"{name}.csv: the {len(test.X_test)} samples that the model's own training set aside")
        rows, output = read_csv(nnxp_ok("predict", "model.safetensors", f"{name}.csv")), model.predict(dataset.X)
        columns = [f"p({label})" for label in dataset.classes] if dataset.classes else ["price"]
        assert list(rows[0]) == (["class"] if dataset.classes else []) + columns
        assert np.array_equal([[np.float32(row[column]) for column in columns] for row in rows], output)


def test_what_was_refused_and_now_trains(here: Path, nnxp_ok: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell that is missing, words beside numbers, a class of one row, another ending; and unknown words later."""
    r = np.random.default_rng(5)
    rows = [
        [f"{r.normal():.3f}", ["hill", "valley"][i % 2], ["1", "2", "clay"][i % 3], ["oak", "elm"][i % 2]]
        for i in range(60)
    ]
    rows[3][0], rows[4][1], rows[5][3] = "", "NA", "rose"
    text = "size,place,soil,kind\n" + "".join(",".join(row) + "\n" for row in rows)
    (here / "trees.txt").write_text(text)
    said = nnxp_ok("train", "trees.txt", "--target", "kind", "--epochs", 30, "--learning-rate", 0.05)
    assert "3 classes" in said
    result = json.loads(nnxp_ok("evaluate", "runs/trees/model.safetensors", "trees.txt", "--json"))
    summary = json.loads(Path("runs/trees/summary.json").read_text())
    assert (result["part"], result["correct"]) == ("held out", summary["test_correct"])
    (here / "new.txt").write_text("place,size,soil\nmoor,1,2\nhill,NA,clay\nvalley,high,1\n,2,\n")
    capsys.readouterr()
    assert main(["predict", "runs/trees/model.safetensors", "new.txt"]) == 0
    out, err = capsys.readouterr()
    assert [row["class"] in ("oak", "elm", "rose") for row in read_csv(out)] == [True] * 4
    assert read_csv(out)[1]["class"] == "oak"  # which is what stands on every hill
    assert err.splitlines() == [
        "nnxp: size: 1 of 4 rows hold what is no number, and count as missing (high)",
        "nnxp: place: 1 of 4 rows hold words not seen in training (moor)",
    ]


def test_json_alone_is_printed(models: Path, nnxp_ok: Command) -> None:
    """Of a table too, whose reading is said otherwise."""
    document = nnxp_ok("evaluate", models / "flowers.safetensors", models / "flowers.csv", "--json")
    assert document.count("\n") == 1 and json.loads(document)["samples"] == 18
    assert nnxp_ok("evaluate", models / "flowers.safetensors", models / "flowers.csv").startswith("reading   ")


def test_without_a_target_a_table_s_columns_are_shown(models: Path, here: Path, nnxp_ok: Command) -> None:
    said = nnxp_ok("train", models / "flowers.csv")
    assert "--target NAME says which column to predict" in said
    found = [line.split()[:2] for line in said.splitlines()]
    assert ["length", "number"] in found and ["place", "category"] in found
    assert tree(here) == {}


def python_model(last: list[Any], loss: Any, classes: list[str] | None = None) -> nnxp.Sequential:
    model = nnxp.Sequential([nnxp.Dense(2, 8), "tanh", *last], loss, nnxp.Adam(0.05), backend="numpy", seed=0)
    model.classes = classes
    return model


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ([nnxp.Dense(8, 1), "sigmoid"], "binary_crossentropy"),
        ([nnxp.Dense(8, 1)], "sigmoid_crossentropy"),
        ([nnxp.Dense(8, 2)], "softmax_crossentropy"),
        ([nnxp.Dense(8, 2), "softmax"], "categorical_crossentropy"),
    ],
)
def test_models_trained_in_python(here: Path, nnxp_ok: Command, last: list[Any], loss: str) -> None:
    X, y = data.moons(100, seed=0)
    model = python_model(last, loss, ["left", "right"])
    model.fit(X, y, epochs=20)
    model.save("model.safetensors")
    np.savez(here / "moons.npz", X=X, y=y)
    result = json.loads(nnxp_ok("evaluate", "model.safetensors", "moons.npz", "--json"))
    assert result["part"] == "all" and result["accuracy"] == pytest.approx(model.evaluate(X, y)["accuracy"], rel=1e-6)
    predictions = read_csv(nnxp_ok("predict", "model.safetensors", "moons.npz"))
    shares = np.array([[float(p["p(left)"]), float(p["p(right)"])] for p in predictions])
    assert np.allclose(shares.sum(axis=1), 1, rtol=0, atol=4 * np.finfo(np.float32).eps)
    assert [p["class"] for p in predictions] == [["left", "right"][k] for k in shares.argmax(axis=1)]
    assert "all 200 samples" in nnxp_ok("evaluate", "model.safetensors", "moons")


def test_a_model_of_several_labels(here: Path, nnxp_ok: Command) -> None:
    X, y = data.moons(20, seed=0)
    python_model([nnxp.Dense(8, 2), "sigmoid"], "binary_crossentropy").save("model.safetensors")
    np.savez(here / "moons.npz", X=X, y=y)
    assert nnxp_ok("predict", "model.safetensors", "moons.npz").startswith("y0,y1\n")


def test_a_constant_truth_has_no_r2(here: Path, nnxp_ok: Command) -> None:
    prices(here / "prices.csv", 1.0)
    nnxp_ok("train", "prices.csv", "--target", "price", *SHORT, "--out", "run")
    (here / "flat.csv").write_text("a,b,price\n1,2,3.5\n2,1,3.5\n")
    assert "no R² (every value is the same), 2 samples" in nnxp_ok("evaluate", "run/model.safetensors", "flat.csv")
    assert json.loads(nnxp_ok("evaluate", "run/model.safetensors", "flat.csv", "--json"))["r2"] is None


# --- nothing is overwritten, nothing half-written ------------------------------------------------------


def test_an_existing_run_is_replaced_only_when_asked(here: Path, nnxp_ok: Command, nnxp_fails: Command) -> None:
    nnxp_ok("train", "spiral", *SHORT)
    Path("runs/spiral/notes.txt").write_text("mine")
    for name in FILES:  # one of them is enough
        for other in FILES:
            Path("runs/spiral", other).unlink(missing_ok=True)
        Path("runs/spiral", name).write_text("old")
        assert name in (error := nnxp_fails("train", "spiral", *SHORT)) and "--overwrite" in error
    nnxp_ok("train", "spiral", *SHORT, "--overwrite")
    assert sorted(os.listdir("runs/spiral")) == sorted([*WRITTEN, "notes.txt"])
    assert json.loads(Path("runs/spiral/summary.json").read_text())["epochs"] == 2
    assert Path("runs/spiral/notes.txt").read_text() == "mine"


def test_an_overwritten_run_leaves_no_old_picture(monkeypatch: pytest.MonkeyPatch, nnxp_ok: Command) -> None:
    nnxp_ok("train", "spiral", *SHORT)
    monkeypatch.setattr(plots, "training", lambda *args, **rest: None)
    nnxp_ok("train", "spiral", *SHORT, "--overwrite")
    assert sorted(os.listdir("runs/spiral")) == sorted({*WRITTEN} - {"curves.png"})


def test_a_run_that_appears_meanwhile_is_not_overwritten(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plots, "training", lambda *args, **rest: Path("runs/spiral/summary.json").write_text("theirs"))
    assert main(["train", "spiral", *SHORT]) == 2
    assert os.listdir("runs/spiral") == ["summary.json"] and "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("existing", [False, True])
def test_ctrl_c_while_training(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], existing: bool
) -> None:
    """A real signal, in the third epoch."""
    if existing:
        assert main(["train", "spiral", *SHORT]) == 0
    before = tree(here)
    epoch = nnxp.training.loop.Training.epoch

    def interrupted(self: Any, *args: Any) -> Any:
        if self.model.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return epoch(self, *args)

    monkeypatch.setattr(nnxp.training.loop.Training, "epoch", interrupted)
    capsys.readouterr()
    assert main(["train", "spiral", "--epochs", "50", "--quiet", "--overwrite"]) == 130
    assert capsys.readouterr() == ("", "nnxp: interrupted\n")
    assert tree(here) == before


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit(143)])
def test_an_interrupt_while_moving_the_files(
    monkeypatch: pytest.MonkeyPatch, nnxp_ok: Command, interrupt: BaseException
) -> None:
    """A few renames are finished first: no mixture of two runs."""
    nnxp_ok("train", "spiral", *SHORT)
    replace, calls = os.replace, []

    def interrupted(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == 3:  # the model's own file was renamed before, in the unfinished folder
            raise interrupt
        replace(source, target)

    monkeypatch.setattr(runs.os, "replace", interrupted)
    nnxp_ok("train", "spiral", "--epochs", "1", "--quiet", "--overwrite")
    assert sorted(os.listdir("runs/spiral")) == WRITTEN
    assert json.loads(Path("runs/spiral/summary.json").read_text())["epochs"] == 1
    assert len(read_csv(Path("runs/spiral/history.csv").read_text())) == 1


def test_a_failure_while_writing_leaves_nothing(monkeypatch: pytest.MonkeyPatch, nnxp_fails: Command) -> None:
    def full(self: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(nnxp.Sequential, "save", full)
    assert "No space left on device" in nnxp_fails("train", "spiral", *SHORT, "--out", "deep/er/run")


def test_predictions_are_written_whole(models: Path, monkeypatch: pytest.MonkeyPatch, nnxp_fails: Command) -> None:
    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(runs.os, "replace", full)
    error = nnxp_fails("predict", models / "flowers.safetensors", models / "flowers.csv", "--out", "p.csv")
    assert "p.csv: the predictions could not be saved (No space left on device)" in error


def test_a_folder_that_cannot_be_written_is_found_before_training(
    monkeypatch: pytest.MonkeyPatch, nnxp_fails: Command
) -> None:
    def forbidden(*args: Any, **rest: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", forbidden)
    monkeypatch.setattr(nnxp.Sequential, "fit", lambda *args, **rest: pytest.fail("it trained"))
    error = nnxp_fails("train", "spiral", *SHORT, "--out", "deep/er/run")
    assert "the run folder deep/er/run cannot be written (Permission denied)" in error


@pytest.mark.parametrize("out", ["file", "file/run"])
def test_a_file_in_place_of_the_run_folder(here: Path, nnxp_fails: Command, out: str) -> None:
    (here / "file").write_text("mine")
    assert "--out" in nnxp_fails("train", "spiral", *SHORT, "--out", out)


# --- schedules, normalisation, class weights, early stopping ------------------------------------------


def test_a_schedules_number_is_what_the_help_says(here: Path, nnxp_ok: Command) -> None:
    nnxp_ok("train", "digits", "--epochs", 1, "--hidden", 8, "--schedule", "cosine:0.5", "--quiet")
    summary = json.loads((here / "runs/digits/summary.json").read_text())
    assert summary["optimizer"]["schedule"] == {"class": "Cosine", "floor": 0.0, "steps": 0.5}


def test_every_schedule_is_in_the_help_and_says_what_its_number_is(nnxp_ok: Command) -> None:
    told = " ".join(nnxp_ok("train", "--help").split())
    kinds = {snake_case(kind.__name__): kind for kind in SCHEDULES}
    assert NUMBERS.keys() == kinds.keys()
    for name, kind in kinds.items():
        assert NUMBERS[name] in kind.options and name in told
    assert schedule_for("flat_cosine:0.3")["schedule"].config()["flat"] == 0.3
    assert schedule_for("coslog:2")["schedule"].config()["waves"] == 2


def test_lbfgs_leaves_the_recipes_dropout_out(here: Path, nnxp_ok: Command) -> None:
    pytest.importorskip("scipy", reason='SciPy is not installed: pip install "nnxp[sklearn]"')
    nnxp_ok("train", "digits", "--epochs", 3, "--hidden", 8, "--optimizer", "lbfgs", "--quiet")
    architecture = json.loads((here / "runs/digits/summary.json").read_text())["architecture"]
    assert architecture and not any("dropout" in layer.lower() for layer in architecture)


def test_a_schedule_in_place_of_the_decay(here: Path, nnxp_ok: Command) -> None:
    nnxp_ok("train", "digits", "--epochs", 4, "--hidden", 8, "--schedule", "step_decay:0.5", "--quiet")
    summary = json.loads((here / "runs/digits/summary.json").read_text())
    assert summary["optimizer"]["schedule"] == {"class": "StepDecay", "every": 0.5, "factor": 0.1}
    assert summary["optimizer"]["decay"] == 0.0
    rates = [
        row["learning_rate"] for row in csv.DictReader(io.StringIO((here / "runs/digits/history.csv").read_text()))
    ]
    assert [float(rate) for rate in rates] == pytest.approx([3e-3, 3e-3, 3e-4, 3e-4], rel=1e-12)
    nnxp_ok("train", "digits", "--epochs", 1, "--hidden", 8, "--schedule", "cosine", "--decay", 1, "--quiet",
            "--out", "both")  # fmt: skip
    assert json.loads((here / "both/summary.json").read_text())["optimizer"]["decay"] == 1.0


@pytest.mark.parametrize(("name", "layer"), [("batch", "BatchNorm"), ("layer", "LayerNorm")])
def test_normalization(here: Path, nnxp_ok: Command, name: str, layer: str) -> None:
    said = nnxp_ok("train", "digits", "--epochs", 1, "--hidden", "8,8", "--normalization", name)
    assert f"8-8-10, silu, {name} normalization, dropout" in said
    summary = json.loads((here / "runs/digits/summary.json").read_text())
    assert summary["architecture"][1:6] == ["Dropout(0.1)", "Dense(64, 8)", layer, "SiLU", "Dropout(0.5)"]
    assert summary["parameters"] == 64 * 8 + 8 + 16 + 8 * 8 + 8 + 16 + 8 * 10 + 10
    nnxp_ok("evaluate", "runs/digits/model.safetensors", "digits")


def test_early_stopping_looks_at_rows_of_the_training_part(here: Path, nnxp_ok: Command) -> None:
    """And the run keeps the weights of the best epoch."""
    said = nnxp_ok("train", "spiral", "--early-stopping", 2, "--epochs", 60, "--learning-rate", 0.1)
    summary = json.loads((here / "runs/spiral/summary.json").read_text())
    assert summary["validation_samples"] == round(0.1 * (summary["training_samples"] + summary["validation_samples"]))
    assert summary["epochs"] == summary["best_epoch"] + 2 < 60
    assert f"stopped after {summary['epochs']} epochs, with the weights of epoch {summary['best_epoch']}" in said
    rows = list(csv.DictReader(io.StringIO((here / "runs/spiral/history.csv").read_text())))
    losses = [float(row["validation_loss"]) for row in rows]
    assert len(rows) == summary["epochs"] and losses.index(min(losses)) == summary["best_epoch"] - 1
    model = nnxp.load(here / "runs/spiral/model.safetensors")
    test = data.load("spiral").hold_out(0.2, 0)
    assert model.evaluate(test.X_test, test.y_test)["accuracy"] == pytest.approx(summary["test_accuracy"])


def test_class_weights(here: Path, nnxp_ok: Command) -> None:
    """Balanced: n / (k · count)."""
    rows = ["x,kind", *(f"{i % 7},{'rare' if i % 10 == 0 else 'common'}" for i in range(100))]
    (here / "table.csv").write_text("\n".join(rows))
    for given, expected in (("balanced", [80 / (2 * 72), 80 / (2 * 8)]), ("1,5", [1.0, 5.0])):
        nnxp_ok("train", "table.csv", "--target", "kind", *SHORT, "--class-weight", given, "--overwrite")
        summary = json.loads((here / "runs/table/summary.json").read_text())
        assert summary["class_weight"] == pytest.approx(expected)
        loss: Any = nnxp.load(here / "runs/table/model.safetensors").loss
        assert loss.class_weight == summary["class_weight"]


def test_predictions_for_nobody(here: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a shell has closed standard output, Python has none."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["predict", str(models / "flowers.safetensors"), str(models / "flowers.csv")]) == 0


# --- every failure in one line -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("trian digits", "trian"),
        ("train", "DATA"),
        ("train digits --epoch 2", "--epoch"),
        ("train digits --epochs many", "--epochs: invalid int value: 'many'"),
        ("train digits --epochs 0", "epochs=0"),
        ("train digits --batch-size 0", "batch_size=0"),
        ("train digits --learning-rate nan", "learning_rate=nan"),
        ("train digits --hidden 12,x", "--hidden: got '12,x'"),
        ("train digits --hidden 0", "--hidden: got '0'"),
        ("train digits --dropout 1", "--dropout: got '1'"),
        ("train digits --dropout much", "--dropout: got 'much'"),
        ("train digits --momentum 0.9", "--momentum belongs to --optimizer sgd, not to adam"),
        ("train digits --weight-decay 0.1 --optimizer sgd", "belongs to --optimizer adamw or lion, not to sgd"),
        ("train digits --optimizer sgd --momentum 2", "momentum=2.0"),
        ("train digits --optimizer adamm", "did you mean 'adam'?"),
        ("train digits --activation softmax", "got activation 'softmax'"),
        ("train digits --hidden none --dropout 0.5", "--dropout is for hidden layers"),
        ("train digits --hidden none --activation tanh", "--activation is for hidden layers"),
        ("train digits --hidden none --normalization batch", "--normalization is for hidden layers"),
        ("train digits --normalization group", "--normalization"),
        ("train digits --schedule coseno", "--schedule: got 'coseno', expected one of inverse_time_decay, step_decay"),
        ("train digits --schedule step_decay:often", "--schedule: got 'step_decay:often', could not convert"),
        ("train digits --schedule step_decay:0", "got every=0, expected a whole number of steps from 1 up"),
        ("train digits --schedule cosine --optimizer lbfgs", "--schedule changes a learning rate, and lbfgs has none"),
        ("train digits --schedule reduce_on_plateau:2", "got factor=2, expected a number from 0 up to but not"),
        ("train digits --optimizer lbfgs --dropout 0.5", "--dropout changes the loss at every step"),
        ("train digits --early-stopping 0", "got early_stopping=0"),
        ("train --early-stopping digits", "--early-stopping: got 'digits', expected a number of epochs"),
        ("train digits --class-weight heavy", "--class-weight: got 'heavy'"),
        ("train digits --class-weight 1,2", "got class_weight=[1.0, 2.0], expected 10 numbers, one for each class"),
        ("train good.csv --target y --class-weight balanced", "--class-weight is for classes"),
        ("train digits --loss huber", "--loss huber does not fit digits"),
        ("train good.csv --target y --loss categorical_crossentropy", "whose target is numbers"),
        ("train digits --validation-split 0.9999 --quiet", "held out"),
        ("train digits --dtype float16", "--dtype"),
        ("train digitz", "Did you mean 'digits'?"),
        ("train digits --data-dir .", "--data-dir"),
        ("train digits --target y", "--target"),
        ("train fashion-mnist --data-dir missing", "apt install dataset-fashion-mnist"),
        ("train missing.csv --target y", "there is no file missing.csv"),
        ("train good.csv --target z", "--target: good.csv has no column 'z'; there are a, y"),
        ("train flowers.csv --target specis", "did you mean 'species'?"),
        ("train flowers.csv --target species --drop widht", "--drop: flowers.csv has no column 'widht'"),
        ("train flowers.csv --target species --kind widht=number", "did you mean 'width'?"),
        ("train flowers.csv --target species --kind width=numbr", "did you mean 'number'?"),
        ("train flowers.csv --target species --kind width", "--kind: got 'width', expected a column and its kind"),
        ("train flowers.csv --target species --task regression", "row 2, column 'species': 'setosa' is no"),
        ("train flowers.csv --target species --weights place", "row 2, column 'place': 'hill' is no number"),
        ("train flowers.csv --target species --split-by kind", "--split-by: flowers.csv has no column 'kind'"),
        ("train flowers.csv --target species --time place", "--time: got 'place', whose cells are category"),
        ("train flowers.csv --target species --target-transform log", "--target-transform is for numbers"),
        ("train flowers.csv --target species --class-weight 1,2", "expected 3 numbers, one for each class"),
        ("train flowers.csv --target species --loss huber", "whose target is classes"),
        ("train flowers.csv --target species --data-dir .", "--data-dir is the folder of fashion-mnist or mnist"),
        ("train flowers.csv --target species --test missing.csv", "there is no file missing.csv"),
        ("train flowers.csv --target species --test unknown.csv", "column 'species': a class that the"),
        ("train good.csv --target y --drop a", "good.csv has no column to learn from (all are left out)"),
        ("train good.csv --target y --optimizer sgd --learning-rate 1e30 --quiet", "lower the learning rate"),
        ("train id.csv --target y", "id.csv has no column to learn from (id (identifier)): say what one is"),
        ("train alone.csv --target y", "alone.csv has only the target column 'y'"),
        ("train nan.csv --target y", "holding out 0.2 of 2 rows leaves 2 to train on and 0 held out"),
        ("train flat.csv --target y", "flat.csv, target column 'y' holds '2.5' in every row"),
        ("train oaks.csv --target y", "oaks.csv, target column 'y' holds 'oak' in every row"),
        ("train one.csv --target y", "one.csv, target column 'y' holds '2.5' in every row"),
        ("train gone.csv --target y", "gone.csv, target column 'y' holds no value in any row"),
        ("train notes.txt --target y", "notes.txt has only the column names 'a', 'y'; expected rows below"),
        ("train empty.csv --target y", "empty.csv is empty; expected a row of column names"),
        ("train ragged.csv --target y", "ragged.csv, row 3 has 3 cells, expected 2"),
        ("train junk.csv --target y", "junk.csv is no text"),
        ("train digits --drop a", "--drop is for a table, and digits is none"),
        ("predict run good.csv", "run is a run's folder, expected the model's file in it: run/model.safetensors"),
        ("evaluate run digits", "run is a run's folder, expected the model's file in it: run/model.safetensors"),
        ("train bad.npz", "bad.npz is not an .npz file"),
        ("train digits --backend numppy", "numppy"),
        ("train digits --backend numpy:gpu", "NumPy has no device 'gpu'"),
        ("train digits --backend torch:nowhere", "torch"),
        ("train spiral --optimizer sgd --learning-rate 1e30 --epochs 3 --quiet", "lower the learning rate"),
        ("evaluate missing.safetensors digits", "no model file missing.safetensors"),
        ("evaluate . digits", "no model file"),
        ("evaluate truncated.safetensors digits", "truncated.safetensors: it is truncated"),
        ("evaluate bad.npz digits", "it is truncated, or no safetensors file"),
        ("evaluate digits.safetensors spiral", "is columns x0, x1, classes 0, 1, 2; the model was trained on 8 x 8"),
        ("evaluate digits.safetensors good.csv", "good.csv"),
        ("evaluate digits.safetensors good.csv --data-dir .", "--data-dir"),
        ("evaluate digits.safetensors missing.npz", "missing.npz: No such file or directory"),
        ("evaluate flowers.safetensors good.csv", "good.csv has no target column 'species'; there are a, y"),
        ("evaluate flowers.safetensors lacking.csv", "lacking.csv lacks the column 'length', which the training had"),
        ("evaluate flowers.safetensors unknown.csv", "row 2, column 'species': a class that the training did not have"),
        ("evaluate flowers.safetensors digits", "was trained on a table, and digits is none"),
        ("evaluate flowers.safetensors flowers.csv --data-dir .", "--data-dir"),
        ("evaluate older.safetensors good.csv", "no column 'length'"),
        ("evaluate older.safetensors unknown.csv", "'rose' is not among the known ones"),
        ("evaluate older.safetensors flowers.csv --separator ,", "--separator is for a table, and older.safetensors"),
        ("evaluate digits.safetensors digits --backend cupy:x", "cupy"),
        ("predict digits.safetensors", "FILE"),
        ("predict digits.safetensors missing.npz", "missing.npz: No such file or directory"),
        ("predict flowers.safetensors good.csv", "good.csv lacks the columns length, width, place"),
        ("predict flowers.safetensors notes.txt", "notes.txt has only the column names 'a', 'y'"),
        ("predict flowers.safetensors flowers.csv --keep lenght", "did you mean 'length'?"),
        ("predict older.safetensors good.csv", "no column 'length'"),
        ("predict older.safetensors huge.csv", "sample 1 is not finite"),
        ("predict older.safetensors flowers.csv --keep place", "--keep is for a table, and older.safetensors"),
        ("predict flowers.safetensors flowers.csv --out good.csv", "good.csv is there already"),
        ("predict flowers.safetensors flowers.csv --out .", "is a folder"),
        ("predict flowers.safetensors flowers.csv --out missing/p.csv", "there is no folder missing"),
        ("predict nowidth.safetensors bad.npz", "how many features"),
    ],
)  # fmt: skip
def test_failures(here: Path, models: Path, nnxp_fails: Command, words: str, expected: str) -> None:
    for name in ("digits.safetensors", "flowers.safetensors", "older.safetensors", "flowers.csv"):
        (here / name).write_bytes((models / name).read_bytes())
    (here / "truncated.safetensors").write_bytes((models / "digits.safetensors").read_bytes()[:2000])
    (here / "bad.npz").write_text("no zip file")
    (here / "good.csv").write_text("a,y\n" + "".join(f"{i},{i}.5\n" for i in range(20)))
    (here / "nan.csv").write_text("a,y\n1,2.5\nnan,3.5\n")
    (here / "flat.csv").write_text("a,y\n" + "".join(f"{i},2.5\n" for i in range(20)))
    (here / "oaks.csv").write_text("a,y\n" + "".join(f"{i},oak\n" for i in range(20)))
    (here / "gone.csv").write_text("a,y\n1,\n2,NA\n")
    (here / "id.csv").write_text("id,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    (here / "alone.csv").write_text("y\n" + "".join(f"{i % 2}\n" for i in range(20)))
    (here / "lacking.csv").write_text("species,width,place\nsetosa,2,hill\n")
    (here / "empty.csv").write_text("")
    (here / "ragged.csv").write_text("a,y\n1,2\n1,2,3\n")
    (here / "junk.csv").write_bytes(bytes(range(256)) * 4)
    (here / "notes.txt").write_text("a,y\n")
    (here / "run").mkdir()
    (here / "run" / "model.safetensors").write_bytes((models / "digits.safetensors").read_bytes())
    (here / "one.csv").write_text("a,y\n1,2.5\n")
    (here / "unknown.csv").write_text("length,width,place,species\n1,2,hill,rose\n")
    (here / "huge.csv").write_text("length,width,place\n1e300,2,hill\n")
    nnxp.Sequential(["relu"], "mean_squared_error").save(here / "nowidth.safetensors")
    assert expected in nnxp_fails(*words.split())


def test_other_class_names_are_other_data(
    here: Path, models: Path, nnxp_fails: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MNIST's and Fashion-MNIST's pictures have one shape."""
    digits = data.digits()
    letters = type(digits)(**{**vars(digits), "preprocessing": digits.preprocessing | {"classes": list("abcdefghij")}})
    monkeypatch.setattr(data, "load", lambda *args: letters)
    error = nnxp_fails("evaluate", models / "digits.safetensors", "letters")
    assert "letters is 8 x 8 uint8 values, classes a, b, c" in error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            MemoryError("Unable to allocate 9 TiB"),
            "out of memory (Unable to allocate 9 TiB): try a smaller --batch-size",
        ),
        (MemoryError(), "out of memory: try"),
        (KeyError("a\nb"), "KeyError: 'a\\nb'; this is a mistake in nnxp"),
        (AssertionError(), "AssertionError; this is a mistake in nnxp"),
        (ValueError("two\nlines"), "two lines"),
        (OSError(), "OSError"),
    ],
)
def test_errors_from_inside(
    monkeypatch: pytest.MonkeyPatch, nnxp_fails: Command, error: Exception, expected: str
) -> None:
    def fail(*args: Any, **rest: Any) -> None:
        raise error

    monkeypatch.setattr(nnxp.Sequential, "fit", fail)
    assert f"nnxp: error: {expected}" in nnxp_fails("train", "spiral", "--quiet")


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digitz", "--debug"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and lines[-1].startswith(
        "nnxp: error: there is no data set"
    )


# --- as a user runs it -----------------------------------------------------------------------------------


def test_as_a_process(here: Path, models: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        return subprocess.run([sys.executable, "-m", "nnxp", *words], capture_output=True, text=True, env=env, cwd=here)

    good = run("train", "spiral", "--epochs", "2", "--out", "run")
    assert (good.returncode, good.stderr) == (0, "") and "test accuracy" in good.stdout
    again = run("train", "spiral", "--epochs", "2", "--out", "run")
    assert again.returncode == 2 and again.stderr.count("\n") == 1 and again.stdout == ""


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_a_reader_that_leaves_is_no_error(name: str, here: Path, models: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nnxp",
        name,
        str(models / "flowers.safetensors"),
        str(models / "flowers.csv"),
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=here) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_batches_of_a_table_grow_with_its_rows(here: Path, nnxp_ok: Command) -> None:
    """64,800 of 90,000 rows are trained on: a 320th of them is 203, and 256 the power of two next to it."""
    rows = "".join(f"{k % 97},{k % 89},{'no' if k % 3 else 'yes'}\n" for k in range(90_000))
    Path("long.csv").write_text("a,b,y\n" + rows)
    words = ["train", "long.csv", "--target", "y", "--epochs", "1", "--hidden", "2", "--out", "run"]
    assert "batches of 256," in nnxp_ok(*words)
    assert json.loads(Path("run/summary.json").read_text())["batch_size"] == 256
    assert "batches of 48," in nnxp_ok(*words, "--batch-size", "48", "--overwrite")
