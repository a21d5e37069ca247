"""How a network of a preset is made and trained, whoever asks: an estimator or `nnxp train`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnxp.callbacks import Callback, EarlyStopping, Scores
from nnxp.callbacks.best import BestWeights
from nnxp.network.answers import answered
from nnxp.network.residual import Residual
from nnxp.sequential import Sequential
from nnxp.tabular.encoders.target import ClassTarget, NumberTargets, Target
from nnxp.tabular.findings.baselines import coefficients
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.networks.purpose import Purpose
from nnxp.typing import Floats, HostArray

OWN = {"loss": "val_loss", "log_loss": "val_loss", "accuracy": "val_accuracy", "rmse": "val_rmse"}
"""Scores that a validation gives anyway, and what it calls them."""
OF_ROWS = ("loss", "log_loss", "rmse")
"""Scores that are means over rows, so that two networks can be compared row by row."""
BLOCK = 16
"""Rows of which BLAS sums the products of each in one order; what is left after whole blocks, in another."""


def network(preset: Preset, purpose: Purpose, **place: Any) -> Sequential:
    """The network of a preset, not trained yet; `place` is the backend, the dtype and the seed."""
    made = preset.network(preset.recipe, purpose)
    return Sequential(made.layers, made.loss, made.optimizer, members=preset.recipe.members, **place)


def begin_linear(model: Sequential, linear: Sequential) -> None:
    """Lets a network that has a shortcut from inputs to outputs begin as a linear model: its other branch is 0. So do
    several members, each."""
    for layer in model.layers:
        if isinstance(layer, Residual) and layer.shortcut is not None:
            W, b = coefficients(linear)
            if model.members > 1:
                W, b = (np.stack([a] * model.members) for a in (W, b))
            layer.shortcut.weights, layer.shortcut.biases = W, b


def fit(
    model: Sequential,
    preset: Preset,
    given: Mapping[str, Any],
    *,
    chooses: str | None,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> EarlyStopping | None:
    """Trains a network as its preset says.

    One that began as a linear model has to be better than that by a standard error on the rows of the validation, row
    by row (Breiman et al. 1984, the rule of one standard error): otherwise it is the linear model again, and the best
    epoch is 0. Of few rows an epoch is chosen by chance, and a line is then the better guess.

    Parameters
    ----------
    model : Sequential
    preset : Preset
        Settled for the number of rows.
    given : mapping
        X, y, `sample_weight` and `validation_data`, as `Sequential.fit` takes them.
    chooses : str or None
        The score of the validation by which the epoch is chosen whose weights are kept; None: the last one.
    callbacks, **options
        As `Sequential.fit` takes them.

    Returns
    -------
    EarlyStopping or None
        What chose.
    """
    recipe, stopping = preset.recipe, None
    if chooses is not None:
        X, y, w = given["validation_data"]
        scores = [] if chooses in OWN else [Scores(X, y, [chooses], sample_weight=w)]
        name = OWN.get(chooses, f"val_{chooses}")
        stopping = EarlyStopping(name, preset.patience, ties="first" if preset.patience else "last")
        callbacks = [*scores, stopping, *callbacks]
    compares = preset.begins_linear and chooses in OF_ROWS
    if compares:
        start, before = BestWeights(), _losses(model, given)
        start.keep(model)
    model.fit(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        drop_last=preset.whole_batches,
        callbacks=callbacks,
        **given,
        **options,
    )
    if compares and stopping is not None and not _is_better(_losses(model, given), before, given["validation_data"][2]):
        start.put_back(model)
        stopping.best_epoch = 0
    return stopping


def predicted(model: Sequential, X: HostArray, members: bool = False) -> HostArray:
    """A network's outputs (n, outputs), or those of each member, (members, n, outputs), on the host: a row's are the
    same, to the last bit, whatever rows stand beside it and whoever asks, as far as BLAS has one order of summing for
    all numbers of rows (see docs/serving.md)."""
    rest = len(X) % BLOCK
    parts = [X[: len(X) - rest], np.pad(X[len(X) - rest :], ((0, BLOCK - rest), (0, 0)))]
    outputs = [np.asarray(model.predict(part, members=members)) for part in parts if len(part)]
    return np.concatenate(outputs, axis=-2)[..., : len(X), :]


def in_units(model: Sequential, target: Target, outputs: HostArray) -> HostArray:
    """A network's outputs (n, outputs) as probabilities (n, classes), or as values in the target's own units, (n,), of
    several targets (n, targets). Raises ValueError where a row's are not finite."""
    answers = answered(model, outputs)
    if isinstance(target, ClassTarget):
        return answers
    return target.inverse(answers if isinstance(target, NumberTargets) else answers[:, 0])


def _losses(model: Sequential, given: Mapping[str, Any]) -> Floats:
    """Each validation row's loss."""
    X, y, _ = given["validation_data"]
    backend, loss = model.backend, model.loss
    assert loss is not None
    return backend.to_numpy(loss.forward(backend.asarray(model.predict(X)), y)).astype(np.float64)


def _is_better(losses: Floats, before: Floats, weights: Floats | None) -> bool:
    """Whether losses are lower than others of the same rows, by more than a standard error of the mean difference."""
    w = np.ones(len(losses)) if weights is None else weights
    w = w / w.sum()
    gain = before - losses
    mean = float(w @ gain)
    return mean > float(np.sqrt(np.sum((w * (gain - mean)) ** 2)))
