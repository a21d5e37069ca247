"""What is said about a model on a table: the one document that the report, the terminal and summary.json read.

It is what `json` takes: dicts with the keys below, lists, texts, and finite numbers. What a task does not have, or was
not asked for, is None.
"""

from typing import Literal, TypedDict


class Score(TypedDict):
    """A number, and how far it would move with other test rows."""

    value: float | None
    """None where it is not defined: the recall of a class without rows."""
    error: float | None
    """Its standard error; None where there is no value."""


class Metric(TypedDict):
    """What the scores of that name are."""

    name: str
    label: str
    """For people: "balanced accuracy"."""
    better: Literal["higher", "lower"]
    meaning: str
    """One sentence."""


class Contender(TypedDict):
    """The model or a baseline, on the same test rows."""

    name: str
    """"model", "shares", "mean", "median", "linear"; a caller may bring others."""
    label: str
    """For people: "the model", "the most frequent class"."""
    scores: dict[str, Score]
    """By the name of the metric."""
    model_better_by: dict[str, Score] | None
    """How much better the model is, above 0 where it is better, whatever the metric; the error is that of the
    difference, row by row. None for the model itself."""


class ClassFinding(TypedDict):
    """One class."""

    name: str
    training: int | None
    """Its rows in the training part."""
    test: int
    """Its rows in the test part."""
    predicted: int
    """How many test rows were taken for it."""
    recall: Score
    precision: Score
    f1: Score


class Bin(TypedDict):
    """The rows whose predicted probability is above `low` (0: from it) and up to `high`."""

    low: float
    high: float
    rows: int
    predicted: float
    """The mean of the predicted probabilities."""
    observed: Score
    """How often it came true."""


class Calibration(TypedDict):
    """Whether of the rows with a predicted probability of 70 % so many come true."""

    of: str
    """Whose probability: that of the second of two classes, by its name; of several, that of "the predicted class"."""
    bins: list[Bin]
    """Those that have rows, of ten of equal width."""
    error: Score
    """The expected calibration error: the mean of |predicted - observed| over the rows."""


class Range(TypedDict):
    """The test rows of a tenth of the target's range of ranks, from `low` to `high`."""

    low: float
    high: float
    rows: int
    truth: float
    """The median of the truth."""
    prediction: float
    """The median of the predictions."""
    rmse: Score
    mean_absolute_error: Score
    median_absolute_error: Score
    bias: Score
    """The mean of prediction - truth."""


class Column(TypedDict):
    """One column of the table."""

    name: str
    importance: Score
    """How much worse the metric becomes where the column's cells are shuffled."""


class Importance(TypedDict):
    """Permutation importance, the most important column first."""

    metric: str
    """A name of `metrics`."""
    repeats: int
    columns: list[Column]


class WorstRow(TypedDict):
    """A test row that the model got most wrong: people's data."""

    row: int
    """Its row in the file, the first being 1, or in the array, the first being 0."""
    truth: str | float
    prediction: str | float
    probability: float | None
    """Of the true class; None of a regression."""


class Warned(TypedDict):
    """A sentence that names the number which caused it and the fix."""

    kind: Literal["known rows", "groups", "baseline", "gap", "leak", "rare class", "few rows"]
    """The first two are of who has the table."""
    text: str


class Rows(TypedDict):
    """How many rows each part has."""

    training: int | None
    validation: int | None
    test: int


class Document(TypedDict):
    """Everything."""

    version: Literal[1]
    task: Literal["classification", "regression"]
    target: str
    """The target's column."""
    rows: Rows
    weighted: bool
    """Whether the scores are weighted by the rows' weights. Counts of rows are not."""
    main: str
    """The metric that people ask for first, "accuracy" or "r2"."""
    loss: str
    """The metric that decides whether the model is better than a baseline, "log_loss" or "rmse"."""
    metrics: list[Metric]
    """In the order in which they are shown."""
    contenders: list[Contender]
    """The model, then the baselines."""
    training: dict[str, Score] | None
    """The model's scores on its own training part."""
    classes: list[ClassFinding] | None
    confusion: list[list[int]] | None
    """Row i, column j: how many test rows of class i were taken for class j."""
    calibration: Calibration | None
    ranges: list[Range] | None
    """Of a regression, by tenths of the target (fewer where values repeat)."""
    history: dict[str, list[float | None]] | None
    """By epoch: "loss", "val_loss", "accuracy" or "rmse", ... (None where a number was not finite)."""
    best_epoch: int | None
    """Whose weights the model has, the first epoch being 1."""
    importance: Importance | None
    worst: list[WorstRow] | None
    """None where rows are left out (`rows=False`)."""
    warnings: list[Warned]
