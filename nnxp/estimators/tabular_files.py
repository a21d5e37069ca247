"""An estimator of a model's file: of what its `save` wrote, or `nnxp train` of a table."""

from typing import Any

import numpy as np

from nnxp.backends import get_backend
from nnxp.errors import ModelFileError
from nnxp.estimators.tabular_classifier import TabularClassifier
from nnxp.estimators.tabular_regressor import TabularRegressor
from nnxp.incoming import load
from nnxp.sequential import Sequential
from nnxp.tabular import Encoder
from nnxp.tabular.encoders.target import ClassTarget


def load_estimator(path: Any, *, backend: Any = None) -> TabularClassifier | TabularRegressor:
    """The fitted estimator of a file that its `save` wrote, or `nnxp train` for a table (`model.safetensors`).

    Parameters
    ----------
    path
        The file.
    backend
        Where it is to compute; by default with NumPy, where X has no library of its own.

    Returns
    -------
    TabularClassifier or TabularRegressor
        With the parameters of the one that was saved, but for those that JSON cannot hold. One of `nnxp train` has the
        preset that was named there, its other parameters by default, and the classes as they are spelled in its table.

    Raises
    ------
    ModelFileError
        The file is damaged, or its model was trained on no table.
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
    encoder = Encoder.of(model)
    if encoder is None or encoder.target is None:
        raise ModelFileError(
            f"{path}: got a model that was trained on no table, expected one of TabularClassifier, TabularRegressor or "
            "nnxp train with a table: nnxp.load opens any model"
        )
    try:
        return _restored(model, encoder, backend)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: it says of its estimator what cannot be used ({error!s:.200})") from error


def _restored(model: Sequential, encoder: Encoder, backend: Any) -> TabularClassifier | TabularRegressor:
    assert encoder.target is not None
    known = model.preprocessing.get("estimator", {})
    kind: type[TabularClassifier | TabularRegressor]
    kind = TabularClassifier if isinstance(encoder.target, ClassTarget) else TabularRegressor
    estimator = kind(**{**known.get("parameters", {}), "backend": backend, "members": model.members})
    estimator.model_, estimator.encoder_, estimator._home = model, encoder, get_backend("numpy")
    estimator.n_iter_, estimator.best_epoch_ = known.get("epochs", model.epoch), known.get("best_epoch")
    if "features" in known:
        estimator.n_features_in_ = int(known["features"])
        if known["names"] is not None:
            estimator.feature_names_in_ = np.array(known["names"], dtype=object)
    estimator._know(known, encoder.target)
    return estimator
