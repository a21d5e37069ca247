"""Faults of how it is trained: a check each."""

import itertools
import math

from nnxp.layers import Dense, Dropout
from nnxp.layers.parts import with_parts
from nnxp.losses import MeanSquaredError
from nnxp.optimizers import LBFGS, Adagrad, Adam, Lion, RMSprop
from nnxp.printing import counted
from nnxp.teaching.diagnosis.evidence import Evidence
from nnxp.teaching.diagnosis.sampling import ROWS
from nnxp.teaching.diagnosis.told import Told

SHORT = 0.1
"""How much less of the labels a network explains than `reachable` says of rows left out, before it is said to lack."""
WORSE = 0.1
"""How much of the best constant's loss one step may cost before it is too long."""
BETTER, MANY = 0.05, 16.0
"""How much of the best constant's loss so many steps at once gain before one is too short."""
SORTED, FOLLOWED = 0.5, 0.5
"""Neighbouring labels are so much more alike than by chance, and rows that came last have so much less loss than the
rest, or all had while they were trained on."""
USUAL, LARGE_SHARE, FEW_STEPS = 32, 4, 200
"""A batch of more rows than `fit` takes by itself, and of a quarter of all or more, is large; and so few steps are few:
no healthy run of the tuning half was done after fewer."""
SHRUNK = 0.25
"""So much is left of what a layer makes of the size of its inputs when it begins."""
PULL = 0.01
"""What a penalty costs, as a share of the best constant's loss, before it is said to have shrunk anything."""
STUCK = 0.95
"""Of the best constant's loss so much is left."""
HALVED = 0.5
"""A loss that each epoch still lowers, by half at last, is on its way."""
DROPPED = 0.9
"""Dropout that leaves a tenth of the units, of some dozens a few."""
RISE = 1.1
"""The validation loss over its best: as the fault is defined here."""
SAME_ROWS, SOME_ROWS = 0.01, 0.5
"""The validation loss is that of the rows which the training followed, to rounding; or, of some of those, to chance."""
LEAST = 0.02
"""A rise by less of the best constant's loss is none worth a word: 10 % of next to nothing."""


def _dense(e: Evidence) -> list[Dense]:
    return [layer for _, layer in with_parts(e.model.layers) if isinstance(layer, Dense)]


def _lacks(e: Evidence) -> bool:
    """Whether more could be learned of the rows than is."""
    return e.trained and e.data.reachable - max(0.0, e.network.skill) > SHORT  # worse than nothing is nothing learned


def rate_too_high(e: Evidence) -> Told | None:
    """A step as large as the weights, or one after which the loss of the very rows that it was taken from is higher."""
    along = e.network.along
    if found := _replaces_weights(e):
        return found
    if not e.trained or not along or e.data.is_constant:
        return None
    before, after = along[0.0], along[e.network.now]
    if after - before <= WORSE * abs(e.network.baseline):
        return None
    return Told(
        after / before if before else math.inf,
        f"the next step takes the loss from {before:.4g} to {after:.4g} on the rows that it is taken from",
        f"Divide the learning rate, {e.model.optimizer.learning_rate:g}, by ten, until the loss falls along the step",
    )


def _replaces_weights(e: Evidence) -> Told | None:
    """Whether a step is as large as weights are. An optimizer that divides gradients by their size moves each weight by
    about its rate (Kingma and Ba 2015, section 2.1), and weights begin with a deviation of 1/√n_in, or of 1 in
    neural-tangent form."""
    rate, dense = e.model.optimizer.learning_rate, [layer for layer in _dense(e) if layer.trainable]
    if not isinstance(e.model.optimizer, Adagrad | Adam | Lion | RMSprop) or not dense:
        return None
    begin = min(1 / math.sqrt(layer.n_in) / layer.scale for layer in dense)
    if rate < begin:
        return None
    return Told(
        rate / begin,
        f"a step moves a weight by about {rate:g}, the learning rate, where weights begin with a deviation of "
        f"{begin:.2g}",
        "Divide it by ten, until it is far below that: 0.001 is usual",
    )


def _longer(e: Evidence) -> tuple[float, float, float] | None:
    """The multiple of a step that is best, the loss before, and after it; where that gains much."""
    along = e.network.along
    if not along or not _lacks(e) or _hindrance(e):
        return None
    best = min(along, key=lambda multiple: along[multiple])
    gained = along[0.0] - along[best]
    return (best, along[0.0], along[best]) if best >= MANY and gained > BETTER * abs(e.network.baseline) else None


def _is_large_batch(e: Evidence) -> bool:
    is_own_choice = e.model.epoch > 0 and not isinstance(e.model.optimizer, LBFGS)  # which takes all rows
    return is_own_choice and e.batch > USUAL and e.batch * LARGE_SHARE >= e.data.total


def rate_too_low(e: Evidence) -> Told | None:
    """A step so short that many of them at once do good."""
    found = _longer(e)
    if found is None or _is_large_batch(e) or e.model.step < FEW_STEPS:
        return None
    best, before, after = found
    return Told(
        best,
        f"{best:g} times the next step takes the loss from {before:.4g} to {after:.4g}, after "
        + counted(e.model.step, "step"),
        f"Multiply the learning rate, {e.model.optimizer.learning_rate:g}, by ten, until the loss no longer falls "
        "steadily",
    )


def batch_too_large(e: Evidence) -> Told | None:
    """Few steps an epoch, each too short."""
    if not _is_large_batch(e) or not _lacks(e) or _hindrance(e):
        return None
    found, more = _longer(e), ""
    if found is not None:
        best, before, after = found
        more = f", and {best:g} times the next one takes the loss from {before:.4g} to {after:.4g}"
    elif e.model.step >= FEW_STEPS:
        return None
    return Told(
        e.batch,
        f"{counted(e.model.step, 'step')} made in {counted(e.model.epoch, 'epoch')}, with batches of {e.batch:,.0f} "
        f"of {e.data.total:,} rows{more}",
        "Take smaller batches, batch_size=32, or multiply the learning rate as the batch was multiplied",
    )


def stuck(e: Evidence) -> Told | None:
    """A loss that a constant reaches too, where more could be learned."""
    reported, baseline = e.history.get("loss") or [], e.network.baseline
    if not _lacks(e) or len(reported) < 2 or _falls(reported):
        return None
    if not reported[-1] - e.network.penalty >= baseline - (1 - STUCK) * abs(baseline):
        return None
    classes = e.data.counts
    if classes is not None and (shares := classes / classes.sum()).max() < 1.5 / len(shares):
        what = f"about ln {len(shares)}, what equal probabilities give"
    else:
        what = "the target's variance" if isinstance(e.model.loss, MeanSquaredError) else "what the best constant gives"
    return Told(
        reported[-1] / baseline if baseline else math.inf,
        f"the loss is {reported[-1]:.4g} after {counted(e.model.epoch, 'epoch')}, and {baseline:.4g} is {what}",
        _hindrance(e)
        or "Train on 20 rows first: a network that does not learn them by heart has a fault in how it is built",
    )


def _falls(losses: list[float]) -> bool:
    """Whether each epoch of the second half took the loss down, and all of them by half: from far above a constant's
    that is a way which has not come to its end."""
    half = losses[(len(losses) - 1) // 2 :]
    return all(after < before for before, after in itertools.pairwise(half)) and half[-1] < HALVED * half[0]


def _hindrance(e: Evidence) -> str:
    """What to do about layers that keep a network from learning; empty where there are none."""
    frozen = [layer.title for layer in e.network.dense if layer.frozen]
    if frozen and len(frozen) == len(e.network.dense):
        return f"Thaw what is frozen, trainable = True: {', '.join(frozen)}"
    rate = max((layer.rate for _, layer in with_parts(e.model.layers) if isinstance(layer, Dropout)), default=0.0)
    return f"Drop fewer units: Dropout({rate:g}) leaves {1 - rate:.0%} of them" if rate >= DROPPED else ""


def decay_too_strong(e: Evidence) -> Told | None:
    """Weights that are pulled to 0 faster than the data pull them away."""
    dense = _dense(e)
    decay = getattr(e.model.optimizer, "weight_decay", 0.0)
    penalised = max((max(_numbers(layer.l1) + _numbers(layer.l2)) for layer in dense), default=0.0)
    if not (decay or penalised) or not _lacks(e) or not e.network.dense:
        return None
    smallest, optimizer = min(e.network.dense, key=lambda layer: layer.gain / layer.usual), e.model.optimizer
    # A step of Adam's kind moves a weight by the rate at most, decay by rate · λ · |w|: of weights of the usual size,
    # 1/√n_in, decay takes more than any gradient gives from λ = √n_in on.
    outweighs = decay >= min(math.sqrt(layer.n_in) for layer in dense)
    # By itself it leaves exp(-rate · λ · steps) of a weight.
    pulls = optimizer.learning_rate * decay * e.model.step > 1
    # Weights of the usual size, Σw² = n_out, cost λ · n_out: a penalty of which that is next to nothing pulls at none.
    pulls |= penalised * max(layer.n_out for layer in dense) > PULL * abs(e.network.baseline)
    has_shrunk = smallest.gain < SHRUNK * smallest.usual and pulls
    if not (has_shrunk or outweighs or e.network.penalty > e.network.loss):
        return None
    option = f"weight_decay={decay:g}" if decay else f"l1 or l2 of {penalised:g}"
    return Told(
        smallest.gain,
        f"with {option} a layer makes its inputs {smallest.gain:.2g} times as large, where "
        f"{'1 to 1.4' if smallest.usual == 1 else f'{smallest.usual:.2g} to 1.4'} is usual",
        "Divide the decay by ten until the training loss falls; leave biases out, decay_biases=False",
    )


def _numbers(value: float | tuple[float, ...]) -> list[float]:
    return [*value] if isinstance(value, tuple) else [value]


def ordered_data(e: Evidence) -> Told | None:
    """Batches that follow the order of the labels: the network forgets what came first."""
    if not e.trained or e.data.sortedness < SORTED or e.shuffled:
        return None
    head, tail = e.network.by_place
    reported = (e.history.get("loss") or [math.inf])[-1]
    forgets = tail < FOLLOWED * head or reported < FOLLOWED * (e.network.loss + e.network.penalty)
    if e.shuffled is None and not forgets:
        return None
    how = "which batches followed" if e.shuffled is False else "and the network knows best what came last"
    return Told(
        e.data.sortedness,
        f"labels of neighbouring rows are {e.data.sortedness:.0%} more alike than by chance, {how}: the last rows have "
        f"a loss of {tail:.4g}, the others of {head:.4g}",
        "Shuffle: fit(shuffle=True), or the rows before an iterable yields them",
    )


def over_fitting(e: Evidence) -> Told | None:
    """The validation loss has risen from its best."""
    losses = [value for value in e.history.get("val_loss", ()) if math.isfinite(value)]
    if e.validation is None or not e.trained or not losses:
        return None
    best, epoch = min((value, i) for i, value in enumerate(losses, 1))
    rise = e.validation.loss - best
    if rise < (RISE - 1) * abs(best) or rise <= LEAST * abs(e.validation.baseline):
        return None
    off = SOME_ROWS if e.validation.rows >= ROWS else SAME_ROWS
    if not abs(e.validation.loss - losses[-1]) <= off * abs(losses[-1]):
        e.remarks.append(
            f"Over-fitting was not looked at: the training's last validation loss, {losses[-1]:.4g}, is of other rows, "
            f"or other weights, than {e.validation.loss:.4g} of this validation_data."
        )
        return None
    return Told(
        e.validation.loss / best if best else math.inf,
        f"the loss of rows that were kept apart was {best:.4g} after epoch {epoch:,} and is {e.validation.loss:.4g}",
        "Stop there, callbacks=[EarlyStopping()] or nnxp train's --early-stopping; or take more rows, weight decay, "
        "dropout, or fewer units",
    )


def under_fitting(e: Evidence) -> Told | None:
    """A network that explains less of the rows it was trained on than simple learners of rows left out."""
    if not _lacks(e) or _hindrance(e):
        return None
    widths = [layer.n_out for layer in _dense(e)[:-1]]
    return Told(
        e.network.skill,
        f"it explains {max(0, e.network.skill):.1%} of the labels of rows that it was trained on, where a simple fit "
        f"explains {e.data.reachable:.1%} of rows left out, after {counted(e.model.step, 'step')}"
        + (f" with {counted(min(widths), 'unit')} in the narrowest hidden layer" if widths else ""),
        "Train longer, and take more units or layers",
    )
