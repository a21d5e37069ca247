"""`nnxp.diagnose`: what is wrong with a training, by name."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis import faults_in_data, faults_in_network, faults_in_training
from nnxp.teaching.diagnosis.evidence import Evidence
from nnxp.teaching.diagnosis.sampling import sample
from nnxp.teaching.diagnosis.seen_in_data import data_of, twins
from nnxp.teaching.diagnosis.seen_in_network import Probe
from nnxp.teaching.diagnosis.told import Diagnosis, Finding, Told
from nnxp.typing import ArrayLike


class Fault(NamedTuple):
    """A named fault, the check that finds it, and whether one epoch is enough to see it."""

    name: str
    check: Callable[[Evidence], Told | None]
    early: bool = True


FAULTS = (
    # The most serious first: what makes every other number worthless, then causes, then what follows from them.
    Fault("loss not finite", faults_in_network.not_finite),
    Fault("one label", faults_in_data.one_label),
    Fault("float32 resolution", faults_in_data.float_resolution),
    Fault("a feature is the label", faults_in_data.leak),
    Fault("validation rows in training", faults_in_data.twins),
    Fault("labels do not follow from X", faults_in_data.unrelated),
    Fault("target not scaled", faults_in_data.unscaled_target),
    Fault("inputs not scaled", faults_in_data.unscaled_inputs),
    Fault("weight decay too strong", faults_in_training.decay_too_strong, early=False),
    Fault("learning rate too high", faults_in_training.rate_too_high),
    Fault("weights of one value", faults_in_network.one_value),
    Fault("weights too large", faults_in_network.large_weights),
    Fault("dead ReLUs", faults_in_network.dead_units),
    Fault("saturated units", faults_in_network.saturated_units),
    Fault("exploding gradients", faults_in_network.exploding),
    Fault("vanishing gradients", faults_in_network.vanishing),
    Fault("ordered data", faults_in_training.ordered_data),
    Fault("batch too large", faults_in_training.batch_too_large, early=False),
    Fault("learning rate too low", faults_in_training.rate_too_low, early=False),
    Fault("loss stuck", faults_in_training.stuck, early=False),
    Fault("class imbalance", faults_in_data.ignored_imbalance, early=False),
    Fault("over-fitting", faults_in_training.over_fitting),
    Fault("under-fitting", faults_in_training.under_fitting, early=False),
)


def diagnose(model: Sequential, X: ArrayLike, y: ArrayLike, *, validation_data: Any = None) -> Diagnosis:
    """What is wrong with a training, by name: faults of data, network and course, each with the number that shows it
    and the fix.

    At most 1,000 rows are run through a copy of the model, forward, backward and along the optimizer's next step; the
    model stays as it is. Of a model that is not trained yet, what data and initial weights show is said. The page
    `docs/diagnosis.md` explains each fault.

    Parameters
    ----------
    model : Sequential
        With a loss. Of several members, the first is looked at.
    X, y
        (n, features) rows and their labels, those that it is, or was, trained on, as `Sequential.fit` takes arrays. Of
        a fitted estimator's `model_`, classes are numbered as in `classes_`, and a table's rows are what
        `encoder_.transform` gives.
    validation_data
        (X, y), or (X, y, sample_weight), of rows that it is not trained on; weights are not looked at. Over-fitting,
        and rows that are on both sides, are seen with it alone.

    Returns
    -------
    Diagnosis
        A list of findings, the most serious first, empty where nothing is wrong; print it, or see each one's `name`,
        `number` and `fix`. Remarks are in its `notes`.

    Raises
    ------
    ValueError, TypeError
        X, y or the model are not what can be trained on.

    Examples
    --------
    >>> import nnxp
    >>> digits = nnxp.data.digits()
    >>> model = nnxp.Sequential([nnxp.Dense(64, 32), "relu", nnxp.Dense(32, 10), "softmax"],
    ...     loss="categorical_crossentropy", optimizer=nnxp.SGD(1e-6), seed=0)
    >>> history = model.fit(100 * digits.X, digits.y, epochs=3)
    >>> [finding.name for finding in nnxp.diagnose(model, 100 * digits.X, digits.y)][:1]
    ['inputs not scaled']
    """
    return checked(evidence_of(model, X, y, validation_data))


def checked(evidence: Evidence, early: bool = False) -> Diagnosis:
    """What the checks find, or those for which an epoch is enough."""
    asked = [fault for fault in FAULTS if fault.early or not early]
    told = [(fault.name, found) for fault in asked if (found := fault.check(evidence)) is not None]
    return Diagnosis([Finding(name, *found) for name, found in told], evidence.remarks)


def evidence_of(model: Sequential, X: ArrayLike, y: ArrayLike, validation_data: Any = None) -> Evidence:
    """What the checks look at, measured on a copy of the model."""
    if not isinstance(model, Sequential):
        raise TypeError(
            f"got {model!r}, expected a Sequential with a loss: of a fitted estimator, its model_, classes numbered as "
            "in its classes_, a table's rows as its encoder_.transform gives them"
        )
    if model.loss is None:
        raise ValueError('got a model without a loss, expected one to train: Sequential(layers, loss="...")')
    if y is None:
        raise ValueError(
            "got no y, expected the labels of X: diagnose(model, X, y); of batches that an iterable yields, take some, "
            "one below the other"
        )
    if validation_data is not None and not (isinstance(validation_data, tuple) and len(validation_data) in (2, 3)):
        raise TypeError(
            f"got validation_data of {type(validation_data).__name__}, expected (X, y), or (X, y, sample_weight)"
        )
    remarks: list[str] = []
    whole = copy.deepcopy(model)
    whole.communicator = None  # one process looks, and waits for none
    _ = whole._checked(X)  # which decides the backend, where nothing has yet
    one = whole if whole.members == 1 else whole.member(0)
    if one is not whole:
        remarks.append(
            f"Of {whole.members} members, the first was looked at. Where clip_norm is advised, clip_value is what all "
            "of them take: a norm would join them."
        )
        told = {name: values for name, values in whole.history.items() if name in one.history}
        one.history |= {name: values for name, values in told.items() if name.startswith("val_")}  # of their mean
    if not one.step:
        remarks.append("The model is not trained: what a training shows was not looked at.")
    with np.errstate(all="ignore"):
        rows = sample(one, X, y)
        data, network, validation = data_of(one, rows), Probe(one, rows).network(), None
        if validation_data is None:
            remarks.append("Without validation_data nothing is known of over-fitting, and of rows on both sides.")
        else:
            held_out = validation_data[:2]
            validation, recalls = Probe(whole, sample(whole, held_out[0], held_out[1], "validation X")).validation()
            network = replace(network, recalls=recalls)
            share, chance = twins(one, (X, y), held_out)
            data = replace(data, twins=share, twins_by_chance=chance)
    return Evidence(one, data, network, validation, vars(model).get("_shuffled"), vars(model).get("_batch"), remarks)
