"""A trained model and what it knows of its data: for `nnxp evaluate` and `nnxp predict`."""

from pathlib import Path
from typing import Any

from nnxp.backends import get_backend
from nnxp.callbacks import EarlyStopping
from nnxp.cli.opening import AS_SPELLED
from nnxp.errors import DataError
from nnxp.incoming import load
from nnxp.network.answers import class_names
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import Target


def open_model(path: str, backend: str, precision: str | None) -> tuple[Sequential, dict[str, Any]]:
    """The model of a file, and how rows of a data file become rows of its X.

    A model that was trained in Python says nothing of files: it takes npz files with X of its width and, where it
    tells classes apart, y of their indices.
    """
    model = network_of(path, backend, precision)
    return model, preprocessing_of(path, model)


def network_of(path: str, backend: str, precision: str | None) -> Sequential:
    """The model of a file."""
    if (inside := Path(path) / "model.safetensors").is_file():
        raise ValueError(f"{path} is a run's folder, expected the model's file in it: {inside}")
    return load(path, backend=get_backend(backend, precision=precision))


def preprocessing_of(path: str, model: Sequential) -> dict[str, Any]:
    """How rows of a data file become rows of its X: see `open_model`."""
    if "format" in model.preprocessing:
        return model.preprocessing
    if "estimator" in model.preprocessing:
        raise DataError(
            f"{path}: got an estimator of several labels a row, of one class, or of rates, expected one of two classes "
            f"or more, or of numbers, to read and write files for: in Python, nnxp.load_estimator({path!r}).predict(X)"
        )
    if model.n_in is None:
        raise ValueError(f"{path}: the model has no layer that says how many features it takes")
    classes = class_names(model)
    return {
        "format": "array",
        "shape": [model.n_in],
        "dtype": "float64",
        "target": "y",
        "task": "regression" if classes is None else "classification",
        "classes": None if classes is None else [str(k) for k in range(len(classes))],
    }


def as_spelled(encoder: Encoder, *others: str | None) -> list[str]:
    """The columns of a table that are read as they are spelled: what a person said are words, and others."""
    return [name for name, kind in (encoder.kinds or {}).items() if kind in AS_SPELLED] + [
        name for name in others if name is not None
    ]


def as_estimator(preset: str | None, stopping: EarlyStopping | None) -> dict[str, Any]:
    """What `nnxp.load_estimator` is told of a training that is over: the preset that was named, and the best epoch."""
    known: dict[str, Any] = {} if preset in (None, "default") else {"parameters": {"preset": preset}}
    known |= {} if stopping is None else {"best_epoch": stopping.best_epoch}
    return {"estimator": known} if known else {}


def wanted(encoder: Encoder) -> Target:
    """What a model's encoder says is predicted."""
    if encoder.target is None:
        raise DataError("the model's encoder does not say what is predicted: it is not one of nnxp train")
    return encoder.target
