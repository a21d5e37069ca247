"""An estimator of a model's file: of what its `save` wrote, or `nnxp train` of a table."""

from typing import Any

import numpy as np

from nnxp.backends import get_backend
from nnxp.errors import ModelFileError
from nnxp.estimators.classes import Labels
from nnxp.estimators.classifier import MLPClassifier
from nnxp.estimators.regressor import MLPRegressor, Scale
from nnxp.estimators.tabular_classifier import TabularClassifier
from nnxp.estimators.tabular_regressor import TabularRegressor
from nnxp.estimators.written import read
from nnxp.incoming import load
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget, Target

Estimator = MLPClassifier | MLPRegressor | TabularClassifier | TabularRegressor


def _scale(known: dict[str, Any]) -> Scale:
    """The units of a regressor's targets, of which a file says this."""
    return Scale(**{name: np.array(numbers, np.float64).tolist() for name, numbers in known["scale"].items()})


OF_NUMBERS: dict[str, Any] = {"MLPClassifier": (MLPClassifier, Labels.of_known), "MLPRegressor": (MLPRegressor, _scale)}
"""By the name in the file: the estimator, and what gives the meaning of its y."""


def load_estimator(path: Any, *, backend: Any = None) -> Estimator:
    """The fitted estimator of a file that its `save` wrote, or `nnxp train` for a table (`model.safetensors`).

    Parameters
    ----------
    path
        The file.
    backend
        Where it is to compute; by default with NumPy, where X has no library of its own.

    Returns
    -------
    MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor
        As the one that was saved, but for its backend: it predicts the same, and trains on with `warm_start` and
        `partial_fit` to the same weights, where the backend is the same. One of `nnxp train` has the preset that was
        named there, its other parameters by default, and the classes as they are spelled in its table.

    Raises
    ------
    ModelFileError
        The file is damaged, or is that of a model which is no estimator.
    FileNotFoundError
        There is no such file.

    Examples
    --------
    >>> import nnxp, tempfile, pathlib
    >>> rows = [{"age": i % 50, "city": ("Fez", "Rome")[i % 2]} for i in range(60)]
    >>> model = nnxp.TabularClassifier(random_state=0, epochs=2).fit(rows, [row["age"] > 20 for row in rows])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(path := pathlib.Path(folder, "model.safetensors"))
    ...     again = nnxp.load_estimator(path)
    >>> bool((again.predict_proba(rows) == model.predict_proba(rows)).all()), again.classes_.tolist()
    (True, [False, True])
    """
    model = load(path, backend=backend)
    encoder, said = Encoder.of(model), model.preprocessing.get("estimator", {})
    try:
        known = read(said)
        if encoder is not None and encoder.target is not None:
            return _of_table(model, encoder, encoder.target, known, backend)
        if "kind" in known:
            return _of_numbers(model, known, backend)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: it says of its estimator what cannot be used ({error!s:.200})") from error
    raise ModelFileError(
        f"{path}: got a model that is no estimator's and was trained on no table, expected one that an estimator's "
        "save wrote, or nnxp train with a table: nnxp.load opens any model"
    )


def _of_table(model: Sequential, encoder: Encoder, target: Target, known: dict[str, Any], backend: Any) -> Estimator:
    kind: type[TabularClassifier | TabularRegressor]
    kind = TabularClassifier if isinstance(target, ClassTarget) else TabularRegressor
    trained_here = {} if "features" in known else {"members": model.members}
    estimator = kind(**{**known.get("parameters", {}), **trained_here, "backend": backend})
    estimator.encoder_ = encoder
    estimator.n_iter_, estimator.best_epoch_ = known.get("epochs", model.epoch), known.get("best_epoch")
    _begin(estimator, model, known)
    estimator._know(known, target)
    return estimator


def _of_numbers(model: Sequential, known: dict[str, Any], backend: Any) -> Estimator:
    kind, meaning = OF_NUMBERS[known["kind"]]
    estimator: MLPClassifier | MLPRegressor = kind(**{**known["parameters"], "backend": backend})
    _begin(estimator, model, known)
    estimator._know(known, meaning(known))
    return estimator


def _begin(estimator: Any, model: Sequential, known: dict[str, Any]) -> None:
    """Sets the network, and the columns of X."""
    estimator.model_, estimator._home = model, get_backend("numpy")
    if "features" in known:
        estimator.n_features_in_, names = int(known["features"]), known["names"]
        if names is not None:
            estimator.feature_names_in_ = np.array(names, dtype=object)
            if estimator.feature_names_in_.shape != (estimator.n_features_in_,):
                raise ValueError(f"its names are {names!r:.60}")
