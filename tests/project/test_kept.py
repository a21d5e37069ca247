"""Files and pickles of before the modules moved into rooms: they load, and give what they gave (tests/kept/make.py)."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import moved
from tests.kept import make

FOLDER = Path(__file__).resolve().parents[1] / "kept" / "before-rooms"
GIVEN = dict(np.load(FOLDER / "given.npz"))
SAME = {"rtol": 0, "atol": 64 * 2.0**-24}  # a few roundings: another BLAS may add up in another order


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    pytest.importorskip("sklearn", reason="the pickle holds estimators, which need scikit-learn")
    objects: dict[str, Any] = pickle.loads((FOLDER / "objects.pickle").read_bytes())
    return objects


@pytest.mark.parametrize("old", moved.MOVED)
def test_an_old_name_is_the_module_of_today(old: str) -> None:
    if old.startswith("nnxp.estimators"):
        pytest.importorskip("sklearn", reason="estimators need scikit-learn")
    sys.modules.pop(old, None)
    module = __import__(old, fromlist=["x"])
    assert module is sys.modules[moved.MOVED[old]] and module.__name__ == moved.MOVED[old]
    assert module.__spec__.name == moved.MOVED[old]


def test_nothing_else_is_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"nnxp\.nowhere"):
        __import__("nnxp.nowhere")


def test_a_file_predicts_as_it_did() -> None:
    model = nnxp.load(FOLDER / "trained.safetensors", backend="numpy")
    np.testing.assert_allclose(model.predict(GIVEN["X"]), GIVEN["trained"], **SAME)
    assert model.classes == ["a", "b", "c"] and model.epoch == 2 and len(model.history["loss"]) == 2


def test_a_fit_of_then_goes_on() -> None:
    model = make.model()
    model.fit(GIVEN["X"], GIVEN["Y"], epochs=2, batch_size=8, resume=FOLDER / "stopped.safetensors")
    np.testing.assert_allclose(model.predict(GIVEN["X"]), GIVEN["stopped"], rtol=0, atol=1e-5)  # a fit's roundings
    assert model.step == 2 * -(-len(GIVEN["X"]) // 8)


def test_models_and_estimators_predict_as_they_did(kept: dict[str, Any]) -> None:
    X = GIVEN["X"]
    np.testing.assert_allclose(kept["trained"].predict(X), GIVEN["trained"], **SAME)
    np.testing.assert_allclose(kept["layer"].forward(X), GIVEN["layer"], **SAME)
    np.testing.assert_allclose(kept["classifier"].predict_proba(X), GIVEN["classifier"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(kept["regressor"].predict(X), GIVEN["regressor"], rtol=1e-12)
    assert kept["classifier"].classes_.tolist() == ["a", "b", "c"]


def test_what_was_trained_trains_on(kept: dict[str, Any]) -> None:
    model = kept["trained"]
    assert model.optimizer.iterations == model.step > 0 and model.course is None
    before = model.optimizer.iterations
    model.fit(GIVEN["X"], GIVEN["Y"], batch_size=8)
    assert model.epoch == 3 and model.optimizer.iterations > before
    kept["new model"].fit(GIVEN["X"], GIVEN["Y"])


def test_parts_are_what_they_were(kept: dict[str, Any]) -> None:
    assert kept["backend"] == nnxp.get_backend("numpy", "float64", fast=False)
    assert kept["store"] is kept["layer"].store and tuple(kept["store"].values.shape) == (9,)
    assert kept["report"].passed and kept["data"].X.shape == (2, 2)
    names = (nnxp.load, nnxp.kernels.fuse, nnxp.kernels.show, nnxp.data.csv, nnxp.data.npz)
    assert {*names} <= {*kept["functions"]}
    assert [part.slope for part in kept["activations"] if isinstance(part, nnxp.LeakyReLU)] == [0.2]
    assert kept["estimators"][1].solver == "sgd" and kept["callbacks"][0].patience == 3
    kinds = [type(part) for name in ("layers", "losses", "optimizers", "schedules", "errors") for part in kept[name]]
    assert all(vars(sys.modules[kind.__module__])[kind.__name__] is kind for kind in kinds) and len(kinds) == 36
