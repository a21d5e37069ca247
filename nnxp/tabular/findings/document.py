"""All numbers that people are told about a model on a table: the document that `layout` describes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnxp import metrics
from nnxp.metrics.pairs import numbers_of, probabilities_of, rounding, same, weights_of
from nnxp.metrics.probability import bin_of, events
from nnxp.tabular.findings import influence
from nnxp.tabular.findings.baselines import LABELS
from nnxp.tabular.findings.cautions import cautions
from nnxp.tabular.findings.importance import PermutationImportance
from nnxp.tabular.findings.influence import BINS, Estimate, score
from nnxp.tabular.findings.layout import (
    Bin,
    Calibration,
    ClassFinding,
    Column,
    Contender,
    Document,
    Importance,
    Range,
    Rows,
    Score,
    Warned,
    WorstRow,
)
from nnxp.tabular.findings.measures import CLASSES, NUMBERS, sign_of
from nnxp.typing import ArrayLike, Floats, HostArray

RANGES, WORST = 10, 10
"""Into how many parts the target's range is cut; how many rows are shown."""


class Part(NamedTuple):
    """Rows, and what a model predicts for them.

    Attributes
    ----------
    truth
        Class indices, or values, (n,).
    output
        Probabilities (n, classes), or (n,) of the second of two classes; or values (n,) or (n, 1).
    sample_weight
        (n,), or None.
    """

    truth: ArrayLike
    output: ArrayLike
    sample_weight: ArrayLike | None = None


def findings(
    test: Part,
    *,
    classes: Sequence[str] | None = None,
    target: str = "y",
    baselines: Mapping[str, ArrayLike] | None = None,
    training: Part | None = None,
    validation_rows: int | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    best_epoch: int | None = None,
    importance: PermutationImportance | None = None,
    alone: Mapping[str, float] | None = None,
    lines: Sequence[int] | HostArray | None = None,
    rows: bool = True,
    warnings: Sequence[Warned] = (),
) -> Document:
    """Scores with standard errors beside those of the baselines, and what else is to be said.

    Parameters
    ----------
    test : Part
        The rows that the model was not trained on. Rows that weigh 0 are left out.
    classes : sequence of str, optional
        Their names, of a classification; without it, it is a regression.
    target : str
        The target's column.
    baselines : mapping of str to array, optional
        What the baselines predict for the same rows, by name (see `nnxp.tabular.findings.baselines`). Another name is
        its label.
    training : Part, optional
        The rows that the model was trained on, and what it predicts for them.
    validation_rows : int, optional
        How many rows early stopping looked at.
    history : mapping, optional
        As `Sequential.fit` returns it; the seconds, which differ from run to run, are left out.
    best_epoch : int, optional
        The epoch whose weights the model has, the first being 1.
    importance : PermutationImportance, optional
    alone : mapping, optional
        As `nnxp.tabular.findings.leaks.alone` gives it.
    lines : sequence of int, optional
        The row in the file of each test row; their places, the first being 0, by default.
    rows : bool
        Whether the worst-predicted rows are named, which are people's data.
    warnings : sequence of Warned
        What else people are to be warned of, before all that `nnxp.tabular.findings.cautions` says.

    Returns
    -------
    Document
        What `json` takes. A standard error is √Σ (wψ)² / Σ w, ψ the influence of each row on the score; that of a
        difference is taken row by row (`nnxp.tabular.findings.influence`).

    Raises
    ------
    ValueError
        Shapes do not agree, or a prediction is not finite.

    Examples
    --------
    >>> part = Part([0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    >>> found = findings(part, classes=["no", "yes"], baselines={"shares": [[0.5, 0.5]] * 4})
    >>> [contender["scores"]["accuracy"]["value"] for contender in found["contenders"]]
    [0.75, 0.5]
    """
    model = _Scored(test, classes)
    scores = CLASSES if classes is not None else NUMBERS
    document = Document(
        version=1,
        task="regression" if classes is None else "classification",
        target=target,
        rows=Rows(training=None, validation=validation_rows, test=len(model.w)),
        weighted=test.sample_weight is not None,
        main="r2" if classes is None else "accuracy",
        loss="rmse" if classes is None else "log_loss",
        metrics=list(scores),
        contenders=[Contender(name="model", label="the model", scores=model.scores(), model_better_by=None)],
        training=None,
        classes=None,
        confusion=None,
        calibration=None,
        ranges=_ranges(model) if classes is None else None,
        history=None if history is None else _curves(history),
        best_epoch=best_epoch,
        importance=None if importance is None else _importance(importance),
        worst=_worst(model, lines, classes) if rows else None,
        warnings=[],
    )
    for name, output in (baselines or {}).items():
        document["contenders"].append(_beside(name, _Scored(test._replace(output=output), classes), model))
    trained = None if training is None else _Scored(training, classes)
    if trained is not None:
        document["training"], document["rows"]["training"] = trained.scores(), len(trained.w)
    if classes is not None:
        document["classes"] = _classes(model, trained, classes)
        document["confusion"] = metrics.confusion_matrix(model.p, model.y, len(classes)).tolist()
        document["calibration"] = _calibration(model, classes)
    document["warnings"] = [*warnings, *cautions(document, alone)]
    return document


class _Scored:
    """A part, checked, and its scores."""

    def __init__(self, part: Part, classes: Sequence[str] | None) -> None:
        if not np.isfinite(p := numbers_of(part.output)).all():
            row = int(np.isfinite(p).all(axis=1).argmin())
            raise ValueError(f"got a prediction that is not finite, that of row {row}, expected numbers")
        y: Any  # class indices, or values
        if classes is None:
            y = numbers_of(part.truth)
            same(p, y)
            if p.shape[1] != 1:
                raise ValueError(f"got {p.shape[1]} targets, expected one: make a document for each")
            p, y = p[:, 0], y[:, 0]
        else:
            p, y = probabilities_of(part.output, part.truth)
            if p.shape[1] != len(classes):
                raise ValueError(f"got probabilities of {p.shape[1]} classes, expected {len(classes)}, one a name")
        w = weights_of(part.sample_weight, len(y))
        self.kept = np.flatnonzero(w > 0)
        self.p, self.y, self.w = p[self.kept], y[self.kept], w[self.kept]
        self.estimates: dict[str, Estimate | None] = (
            influence.of_numbers(self.p, self.y, self.w)
            if classes is None
            else influence.of_classes(self.p, self.y, self.w, rounding(part.output))
        )

    def scores(self) -> dict[str, Score]:
        return {name: score(estimate, self.w) for name, estimate in self.estimates.items() if name != "bias"}


def _beside(name: str, baseline: _Scored, model: _Scored) -> Contender:
    scores, better = baseline.scores(), {}
    for metric in scores:
        ours, theirs = model.estimates[metric], baseline.estimates[metric]
        better[metric] = score(influence.difference(ours, theirs, sign_of(metric)), model.w)
    return Contender(name=name, label=LABELS.get(name, name), scores=scores, model_better_by=better)


def _classes(model: _Scored, trained: _Scored | None, classes: Sequence[str]) -> list[ClassFinding]:
    guess, k = model.p.argmax(axis=1), len(classes)
    seen = None if trained is None else np.bincount(trained.y, minlength=k).tolist()
    tested, predicted = (np.bincount(a, minlength=k).tolist() for a in (model.y, guess))
    found = []
    for i, name in enumerate(classes):
        scores = {key: score(e, model.w) for key, e in influence.of_class(guess, model.y, model.w, i).items()}
        found.append(
            ClassFinding(
                name=name,
                training=None if seen is None else seen[i],
                test=tested[i],
                predicted=predicted[i],
                recall=scores["recall"],
                precision=scores["precision"],
                f1=scores["f1"],
            )
        )
    return found


def _calibration(model: _Scored, classes: Sequence[str]) -> Calibration:
    p, came_true = events(model.p, model.y)
    bin, found = bin_of(p, BINS), []
    for i in np.unique(bin).tolist():
        rows = bin == i
        one = np.ones(np.count_nonzero(rows))
        observed = influence.ratio(came_true[rows], one, model.w[rows], is_share=True)
        found.append(
            Bin(
                low=i / BINS,
                high=(i + 1) / BINS,
                rows=len(one),
                predicted=float(np.average(p[rows], weights=model.w[rows])),
                observed=score(observed, model.w[rows]),
            )
        )
    of = classes[1] if len(classes) == 2 else "the predicted class"
    return Calibration(of=of, bins=found, error=score(model.estimates["calibration_error"], model.w))


def _ranges(model: _Scored) -> list[Range]:
    edges = np.unique(np.quantile(model.y, np.arange(1, RANGES) / RANGES))
    group, found = np.searchsorted(edges, model.y), []
    for i in np.unique(group):
        rows = group == i
        p, y, w = model.p[rows], model.y[rows], model.w[rows]
        scores = {name: score(estimate, w) for name, estimate in influence.of_numbers(p, y, w).items()}
        found.append(
            Range(
                low=float(y.min()),
                high=float(y.max()),
                rows=len(y),
                truth=metrics.distance.quantile(y, 0.5, w),
                prediction=metrics.distance.quantile(p, 0.5, w),
                rmse=scores["rmse"],
                mean_absolute_error=scores["mean_absolute_error"],
                median_absolute_error=scores["median_absolute_error"],
                bias=scores["bias"],
            )
        )
    return found


def _importance(found: PermutationImportance) -> Importance:
    columns = [
        Column(name=name, importance=Score(value=value, error=None if math.isnan(e := found.error[name]) else e))
        for name, value in sorted(found.mean.items(), key=lambda item: -item[1])
    ]
    return Importance(metric=found.metric, repeats=found.repeats, columns=columns)


def _worst(model: _Scored, lines: Sequence[int] | HostArray | None, classes: Sequence[str] | None) -> list[WorstRow]:
    places = model.kept if lines is None else np.asarray(lines)[model.kept]
    if classes is None:
        badness: Floats = np.abs(model.p - model.y)
    else:
        badness = -model.p[np.arange(len(model.y)), model.y]
    found = []
    for i in np.argsort(-badness, kind="stable")[:WORST].tolist():
        if classes is None:
            truth, prediction, probability = float(model.y[i]), float(model.p[i]), None
        else:
            truth, prediction = classes[model.y[i]], classes[model.p[i].argmax()]
            probability = float(model.p[i, model.y[i]])
        found.append(WorstRow(row=int(places[i]), truth=truth, prediction=prediction, probability=probability))
    return found


def _curves(history: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    return {
        name: [float(value) if math.isfinite(value) else None for value in values]
        for name, values in history.items()
        if name != "seconds"
    }
