"""How a network of a preset is made and trained, whoever asks: an estimator or `nnxp train`."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnxp.callbacks import Callback, EarlyStopping, Scores
from nnxp.network.residual import Residual
from nnxp.sequential import Sequential
from nnxp.tabular.findings.baselines import coefficients
from nnxp.tabular.networks.presets import Preset
from nnxp.tabular.networks.purpose import Purpose

OWN = {"loss": "val_loss", "log_loss": "val_loss", "accuracy": "val_accuracy", "rmse": "val_rmse"}
"""Scores that a validation gives anyway, and what it calls them."""


def network(preset: Preset, purpose: Purpose, **place: Any) -> Sequential:
    """The network of a preset, not trained yet; `place` is the backend, the dtype and the seed."""
    layers, loss, optimizer = preset.network(preset.recipe, purpose)
    return Sequential(layers, loss, optimizer, **place)


def begin_linear(model: Sequential, linear: Sequential) -> None:
    """Lets a network that has a shortcut from inputs to outputs begin as a linear model: its other branch is 0."""
    for layer in model.layers:
        if isinstance(layer, Residual) and layer.shortcut is not None:
            layer.shortcut.weights, layer.shortcut.biases = coefficients(linear)


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
    model.fit(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        drop_last=preset.whole_batches,
        callbacks=callbacks,
        **given,
        **options,
    )
    return stopping
