"""A model as one file of NumPy alone: the bits of `predict`, on any machine that has NumPy."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import nnxp
from nnxp import ExportError, ModelFileError
from nnxp.activations import ACTIVATIONS
from nnxp.export import predictor
from nnxp.export.exact import reference_rows
from tests.helpers.random_models import Bump, Drawing

RNG = np.random.default_rng(0)
PLAIN = nnxp.get_backend("numpy", fast=False)
COUNT = int(os.environ.get("NNXP_EXPORTS", "40"))
HOSTILE = '"; import os; """'


def models() -> dict[str, tuple[list[Any], str | None]]:
    """Layers by what they show, each from 6 features."""
    d = nnxp.Dense
    found: dict[str, tuple[list[Any], str | None]] = {
        kind.__name__: ([d(6, 9), kind(), d(9, 4), kind()], None) for kind in ACTIVATIONS
    }
    return found | {
        "of options": ([d(6, 9), nnxp.LeakyReLU(0.3), nnxp.ELU(0.7), d(9, 3), nnxp.GELU("tanh")], None),
        "normalised": ([d(6, 9), nnxp.BatchNorm(9), "relu", nnxp.LayerNorm(9), nnxp.Dropout(0.5), d(9, 3), "softmax"],
                       "categorical_crossentropy"),
        "residual": ([nnxp.Residual([d(6, 6), "silu", nnxp.Residual([d(6, 5), "tanh"], projected=True), d(5, 7)]),
                      nnxp.Residual([nnxp.LayerNorm(7), "relu"]), d(7, 1), "sigmoid"], "binary_crossentropy"),
        "scaled": ([nnxp.Rescaling([0.5] * 6, [0.1] * 6), nnxp.Scaling(6), d(6, 2), nnxp.Rescaling(3.0, 1.0)],
                   "mean_squared_error"),
        "bytes": ([nnxp.Rescaling(1 / 255), d(6, 300), "relu", d(300, 200), "relu", d(200, 10)], None),
        "apart": (["tanh", nnxp.Rescaling(2.0), d(6, 1)], None),
        "codes, and what is none": ([nnxp.Embedding(6, [3, 2], 2, [0, 4]), d(8, 3)], None),
        "neural tangent": ([d(6, 8, parametrization="ntk"), "mish", d(8, 2)], None),
    }  # fmt: skip


def exported(model: nnxp.Sequential, folder: Path) -> dict[str, Any]:
    predictor.export_predictor(model, folder / "predictor.py")
    return runpy.run_path(str(folder / "predictor.py"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_gives_the_bits_of_predict(dtype: str, tmp_path: Path) -> None:
    """Of one row, of blocks of rows and of more than are computed at once, far away and not numbers among them."""
    for name, (layers, loss) in models().items():
        model = nnxp.Sequential(layers, loss, seed=1, dtype=dtype, backend=PLAIN)
        for layer in model.layers:
            for parameter in layer.stored():
                values = getattr(layer, parameter)
                noise = RNG.normal(size=values.shape)
                setattr(layer, parameter, np.abs(noise) + 0.1 if parameter == "running_variance" else noise)
        predict = exported(model, tmp_path)["predict"]
        for n in (1, 7, 64, 2049):
            X = RNG.normal(size=(n, 6)) * 10.0 ** RNG.integers(-8, 3, size=(n, 6))
            X[0, :3] = [1e30, -1e30, 0.0]
            X = RNG.integers(0, 256, (n, 6)).astype(np.uint8) if name == "bytes" else X.astype(dtype)
            with np.errstate(all="ignore"), threadpool_limits(1):
                expected, got = model.predict(X), predict(X)
            assert got.dtype == expected.dtype and got.shape == expected.shape, name
            same = got.view(f"u{got.itemsize}") == expected.view(f"u{got.itemsize}")
            assert (same | (np.isnan(got) & np.isnan(expected))).all(), (name, n)
        X = np.where(RNG.random((50, 6)) < 0.2, np.nan, 1.0).astype(dtype)
        with threadpool_limits(1):
            np.testing.assert_array_equal(predict(X), model.predict(X), err_msg=name)
        assert predict(X[:0]).shape == (0, model.n_out)


def test_random_models(tmp_path: Path) -> None:
    """Every layer, members with weights in common and without, one row and more than are computed at once."""
    for seed in range(COUNT):
        drawn = Drawing(seed).model()
        drawn.save(tmp_path / "model.safetensors")
        model = nnxp.load(tmp_path / "model.safetensors", backend=PLAIN, layers={"Bump": Bump})
        predict = exported(model, tmp_path)["predict"]
        X = reference_rows(model, model.dtype, 2100)
        for n in (0, 1, 7, 257, 2100):
            with threadpool_limits(1):
                expected, got = model.predict(X[:n]), predict(X[:n])
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected, err_msg=f"seed {seed}, {n} rows: {drawn!r}")


def test_names_are_data_and_the_file_is_the_same_for_every_model(tmp_path: Path) -> None:
    for name in ("predictor", "other"):
        layers = [nnxp.Dense(2, 3 if name == "other" else 2), "softmax"]
        model = nnxp.Sequential(layers, "categorical_crossentropy", backend=PLAIN)
        model.classes = [HOSTILE, *"ab"[: model.n_out - 1]]
        beside = predictor.export_predictor(model, tmp_path / f"{name}.py")
        assert beside == tmp_path / f"{name}.py.safetensors"
        assert runpy.run_path(str(tmp_path / f"{name}.py"))["classes"]() == model.classes
        with pytest.raises(ModelFileError, match="format"):
            nnxp.load(beside)
    source = Path(predictor.__file__).with_name("standalone.txt").read_bytes()
    assert (tmp_path / "predictor.py").read_bytes() == (tmp_path / "other.py").read_bytes() == source
    called = {
        node.func.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    }
    assert not called & {"eval", "exec", "compile", "__import__", "getattr"}


def test_it_imports_numpy_alone(tmp_path: Path) -> None:
    model = nnxp.Sequential([nnxp.Dense(2, 2), "relu"], backend=PLAIN)
    predictor.export_predictor(model, tmp_path / "predictor.py")
    code = (
        "import sys, numpy; before = {*sys.modules}; import predictor; more = {*sys.modules} - before; "
        "print(predictor.predict([[1, 2]]).shape, *sorted({name.partition('.')[0] for name in more}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    shape, _, modules = ran.stdout.strip().partition(") ")
    assert shape == "(1, 2" and {*modules.split()} <= {"predictor", "json", "_json"}


def test_what_it_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    class Own(nnxp.Layer):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return inputs

        def output_width(self, n_in: int | None) -> int | None:
            return n_in

    d, path = nnxp.Dense, tmp_path / "predictor.py"
    for model, said in (
        (nnxp.Sequential([d(2, 2), Own()], backend=PLAIN), "got a layer Own"),
        (nnxp.Sequential([nnxp.Residual([d(2, 2), Own()])], backend=PLAIN), "got a layer Own"),
        (nnxp.Sequential([d(2, 2), Own()], backend=PLAIN, members=2), "got a layer Own"),
    ):
        with pytest.raises(ExportError, match=said):
            predictor.export_predictor(model, path)
        assert not [*tmp_path.iterdir()]
    model = nnxp.Sequential([d(2, 2)], backend=PLAIN)
    for name in ("model.safetensors", "my model.py", "1.py", "import.py"):
        with pytest.raises(ExportError, match="expected a name that Python can import"):
            predictor.export_predictor(model, tmp_path / name)
    for name in ("numpy.py", "random.py"):
        with pytest.raises(ExportError, match="Python would import in place of its own"):
            predictor.export_predictor(model, tmp_path / name)
    model.encoder = nnxp.tabular.Encoder().fit([{"a": k, "b": k * k} for k in range(30)]).state()
    with pytest.raises(ExportError, match="an encoder of tables"):
        predictor.export_predictor(model, path)


def test_a_damaged_file_beside_it_is_told(tmp_path: Path) -> None:
    model = nnxp.Sequential([nnxp.Dense(2, 2)], backend=PLAIN)
    predictor.export_predictor(model, tmp_path / "predictor.py")
    beside = tmp_path / "predictor.py.safetensors"
    whole = beside.read_bytes()
    model.save(tmp_path / "model.safetensors")
    for content in (
        b"",
        whole[:-1],
        whole + b"\0",
        b"\xff" * 8 + whole[8:],
        whole[:8] + b"[" + whole[9:],
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (tmp_path / "model.safetensors").read_bytes(),
    ):
        beside.write_bytes(content)
        with pytest.raises(ValueError, match="predictor.py.safetensors is damaged"):
            runpy.run_path(str(tmp_path / "predictor.py"))["predict"]([[1.0, 2.0]])
    beside.unlink()
    with pytest.raises(FileNotFoundError, match="which holds the model: the two files stay together"):
        runpy.run_path(str(tmp_path / "predictor.py"))["predict"]([[1.0, 2.0]])
    beside.write_bytes(whole)
    predict = runpy.run_path(str(tmp_path / "predictor.py"))["predict"]
    with pytest.raises(ValueError, match="got X with 1 masked values"):
        predict(np.ma.masked_array([[1.0, 2.0]], [[True, False]]))
    for X in ([1.0, 2.0], [[1.0]], [["a", "b"]], [[1j, 2j]]):
        with pytest.raises(ValueError, match=r"expected numbers \(n, 2\)"):
            predict(X)
