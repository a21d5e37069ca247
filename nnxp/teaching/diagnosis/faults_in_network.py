"""Faults of the network as it stands: a check each."""

from nnxp.teaching.diagnosis.evidence import Evidence
from nnxp.teaching.diagnosis.told import Told

GAIN = 7.0
"""What a layer multiplies the size of its inputs by: 1 (Glorot) to 1.4 (He) at first, up to 4.3 in healthy networks of
the tuning half (benchmarks/diagnosis), 14 where weights begin at ten times what they should."""
ONE = 1e-3
"""Units whose weights differ by less of their size are one unit: float32's rounding is far below, a draw far above."""
DEAD, SATURATED = 0.7, 0.5
"""Of a layer's units, and of its outputs. Up to 0.62 of the units are silent in healthy networks of the tuning half."""
FADED, GROWN, LARGER = 1e-3, 1e3, 100.0
"""What is left of the gradient at the first layer, how much it grows on the way there, and how much values grow on the
way from the second layer to the last. In healthy networks of the tuning half, of three layers, gradients grow up to 65
times: of units that are sure, few rows have any."""


def one_value(e: Evidence) -> Told | None:
    """Units that begin alike get the same gradient and stay alike."""
    # A last layer may begin with zeros, and so may one within another: a branch that adds nothing at first.
    alike = [
        layer
        for layer in e.network.dense
        if layer.spread < ONE and not layer.is_last and (layer.gain or not layer.is_part)
    ]
    if not alike:
        return None
    return Told(
        alike[0].spread,
        f"the units of {alike[0].title} are all the same: their weights differ by {alike[0].spread:.1g} of their size",
        "Draw the weights by chance: leave the initializer to the layer, which then chooses one that suits",
    )


def large_weights(e: Evidence) -> Told | None:
    """Weights that make outputs many times the inputs. (Those of a last layer grow as a classifier becomes sure.)"""
    looked_at = [layer for layer in e.network.dense if not (e.trained and layer.is_last)]
    worst = max(looked_at, key=lambda layer: layer.gain, default=None)
    if worst is None or worst.gain <= GAIN:
        return None
    began = "its weights began, or have become, so large" if e.trained else "its initial weights are so large"
    return Told(
        worst.gain,
        f"{worst.title} makes its inputs {worst.gain:.1f} times as large, where 1 to 1.4 is usual: {began}",
        "Leave the initializer to the layer (deviation √(2 / n_in) before a ReLU); if they have grown, lower the "
        "learning rate",
    )


def dead_units(e: Evidence) -> Told | None:
    """ReLUs that give 0 for every row get no gradient, and stay so."""
    worst = max(e.network.units, key=lambda units: units.dead, default=None)
    if worst is None or worst.dead < DEAD:
        return None
    text = f"{worst.dead:.0%} of the {worst.units} units of {worst.title} give 0 for all of {e.data.rows:,} rows"
    if worst.is_part:
        e.remarks.append(f"{text}; values reach what follows past them.")
        return None
    return Told(
        worst.dead,
        text,
        "Begin with biases of 0 and scaled inputs, lower the learning rate that has killed them, or take LeakyReLU",
    )


def saturated_units(e: Evidence) -> Told | None:
    """Sigmoid or tanh at the ends of its range, where its derivative is next to 0."""
    worst = max(e.network.units, key=lambda units: units.saturated, default=None)
    if worst is None or worst.saturated < SATURATED:
        return None
    return Told(
        worst.saturated,
        f"{worst.saturated:.0%} of the outputs of {worst.title} are at the ends of its range, where no gradient passes",
        "Begin with smaller weights and biases of 0, and scale the inputs; or take ReLU",
    )


def _passed(e: Evidence) -> float | None:
    """How large the gradient is at the first dense layer, as a share of what it is at the last."""
    dense = e.network.dense
    if (
        len(dense) < 3
        or any(layer.is_part for layer in dense)
        or not dense[-1].signal > 0
        or any(units.dead == 1 for units in e.network.units)
    ):
        return None
    return dense[0].signal / dense[-1].signal


def vanishing(e: Evidence) -> Told | None:
    """Gradients that fade from layer to layer."""
    passed = _passed(e)
    if passed is None or passed > FADED:
        return None
    return Told(
        passed,
        f"of the gradient at {e.network.dense[-1].title}, {passed:.1g} arrives at {e.network.dense[0].title}",
        "Take ReLU, or SiLU, instead of sigmoid or tanh, fewer layers, BatchNorm between them, or Residual",
    )


def exploding(e: Evidence) -> Told | None:
    """Gradients that grow from layer to layer."""
    passed, dense = _passed(e), e.network.dense
    if passed is None:
        return None
    grown = dense[-1].size / dense[1].size if dense[1].size > 0 else 0.0
    if not (passed > GROWN or grown > LARGER):
        return None
    back = f"the gradient at {dense[-1].title} arrives {passed:,.3g} times as large at {dense[0].title}"
    forth = f"values grow {grown:,.3g} times from {dense[1].title} to {dense[-1].title}, and gradients with them"
    return Told(
        max(passed, grown),
        back if passed > GROWN else forth,
        "Leave the initializer to the layers, give the optimizer clip_norm=1.0, put BatchNorm between the layers, or "
        "take fewer",
    )


def not_finite(e: Evidence) -> Told | None:
    """NaN or infinity."""
    where = e.network.not_finite
    if not where and e.network.loss < float("inf"):
        return None
    return Told(
        e.network.loss,
        f"the loss is {e.network.loss}" + (f": the values stop being finite at {where}" if where else ""),
        "Lower the learning rate, give the optimizer clip_norm=1.0, scale the inputs, and load weights from before",
    )
