"""`nnxp.diagnose`: what is wrong with a training, by name."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnxp.doors.arrays import finite
from nnxp.sequential import Sequential
from nnxp.teaching.diagnosis import faults_in_data, faults_in_network, faults_in_training
from nnxp.teaching.diagnosis.evidence import Evidence, Validation
from nnxp.teaching.diagnosis.sampling import Sample, sample
from nnxp.teaching.diagnosis.seen_in_data import data_of, twins
from nnxp.teaching.diagnosis.seen_in_network import Probe
from nnxp.teaching.diagnosis.told import Diagnosis, Finding, Told
from nnxp.teaching.diagnosis.truth import comparable, skill
from nnxp.typing import ArrayLike


class Fault(NamedTuple):
    """A named fault, the check that finds it, and whether it explains that little is learned."""

    name: str
    check: Callable[[Evidence], Told | None]
    explains: bool = True


FAULTS = (
    # The most serious first: what makes every other number worthless, then causes, then what follows from them.
    Fault("loss not finite", faults_in_network.not_finite),
    Fault("one label", faults_in_data.one_label),
    Fault("float32 resolution", faults_in_data.float_resolution),
    Fault("a feature is the label", faults_in_data.leak, False),
    Fault("validation rows in training", faults_in_data.twins, False),
    Fault("labels do not follow from X", faults_in_data.unrelated),
    Fault("target not scaled", faults_in_data.unscaled_target),
    Fault("inputs not scaled", faults_in_data.unscaled_inputs),
    Fault("weight decay too strong", faults_in_training.decay_too_strong),
    Fault("learning rate too high", faults_in_training.rate_too_high),
    Fault("weights of one value", faults_in_network.one_value),
    Fault("weights too large", faults_in_network.large_weights),
    Fault("dead ReLUs", faults_in_network.dead_units),
    Fault("saturated units", faults_in_network.saturated_units),
    Fault("exploding gradients", faults_in_network.exploding),
    Fault("vanishing gradients", faults_in_network.vanishing),
    Fault("ordered data", faults_in_training.ordered_data),
    Fault("batch too large", faults_in_training.batch_too_large),
    Fault("learning rate too low", faults_in_training.rate_too_low),
    Fault("loss stuck", faults_in_training.stuck, False),
    Fault("class imbalance", faults_in_data.ignored_imbalance, False),
    Fault("over-fitting", faults_in_training.over_fitting, False),
    Fault("under-fitting", faults_in_training.under_fitting),
)


def diagnose(model: Sequential, X: ArrayLike, y: ArrayLike, *, validation_data: Any = None) -> Diagnosis:
    """What is wrong with a training, by name."""
    evidence = evidence_of(model, X, y, validation_data)
    told = [(fault, found) for fault in FAULTS if (found := fault.check(evidence)) is not None]
    if any(fault.explains for fault, _ in told[:-1]) and told[-1][0] is FAULTS[-1]:
        del told[-1]  # more units are no help against a rate that is too low
    return Diagnosis([Finding(fault.name, *found) for fault, found in told], evidence.remarks)


def evidence_of(model: Sequential, X: ArrayLike, y: ArrayLike, validation_data: Any = None) -> Evidence:
    """What the checks look at, measured on a copy of the model."""
    if not isinstance(model, Sequential):
        raise TypeError(f"got {model!r}, expected a Sequential with a loss")
    if model.loss is None:
        raise ValueError('got a model without a loss, expected one to train: Sequential(layers, loss="...")')
    remarks: list[str] = []
    whole = copy.deepcopy(model)
    _ = whole._checked(X)
    one = whole
    if whole.members > 1:
        one = whole.member(0)
        remarks.append(f"Of {whole.members} members the first was looked at.")
    with np.errstate(all="ignore"):
        rows = sample(one, X, y)
        finite(one.backend, rows.x, "X", one.dtype)
        data, network, validation = data_of(one, rows), Probe(one, rows).network(), None
        if validation_data is None:
            remarks.append("Without validation_data nothing is known of over-fitting and of rows on both sides.")
        else:
            validation, recalls = _validated(whole, validation_data)
            network = network if recalls is None else _with(network, recalls=recalls)
            share, chance = twins(one, (X, y), validation_data[:2])
            data = _with(data, twins=share, twins_by_chance=chance)
    if not one.step:
        remarks.append("The model is not trained: what a training shows was not looked at.")
    return Evidence(one, data, network, validation, vars(model).get("_shuffled"), remarks)


def _with(found: Any, **changed: Any) -> Any:
    from dataclasses import replace

    return replace(found, **changed)


def _validated(model: Sequential, given: Any) -> tuple[Validation, Any]:
    """The validation rows' measures, of several members of their mean, and each class's recall."""
    held: Sample = sample(model, *given[:2])
    assert model.loss is not None
    probe, p = Probe(model, held), model.predict(held.x)
    losses, given_p = probe._losses(p, held), probe._host(p)
    validation = Validation(
        len(held),
        float(losses.mean()) + probe._penalty(),
        float(losses.std() / len(held) ** 0.5),
        probe.baseline(held),
        skill(held.truth.matrix, comparable(model.loss, given_p)),
    )
    return validation, probe.recalls(given_p, held)
