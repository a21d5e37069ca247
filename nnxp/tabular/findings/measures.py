"""What the scores are called, which of them is better, and what each says, for people."""

from nnxp.tabular.findings.layout import Metric

CLASSES: tuple[Metric, ...] = (
    Metric(name="accuracy", label="accuracy", better="higher", meaning="The share of rows whose class is right."),
    Metric(
        name="balanced_accuracy",
        label="balanced accuracy",
        better="higher",
        meaning="The mean of the classes' recalls, each class counting the same.",
    ),
    Metric(
        name="log_loss",
        label="log loss",
        better="lower",
        meaning="The mean of -ln p, p the probability that was given to the true class.",
    ),
    Metric(
        name="roc_auc",
        label="ROC AUC",
        better="higher",
        meaning="How often a row of a class has a higher probability of it than a row of another: 0.5 is guessing.",
    ),
    Metric(
        name="average_precision",
        label="average precision",
        better="higher",
        meaning="The precision, averaged over every recall: guessing gives the share of the class.",
    ),
    Metric(
        name="f1",
        label="F1",
        better="higher",
        meaning="The harmonic mean of precision and recall, averaged over the classes.",
    ),
    Metric(
        name="calibration_error",
        label="calibration error",
        better="lower",
        meaning="How far predicted probabilities are from how often they come true, on the mean.",
    ),
)
NUMBERS: tuple[Metric, ...] = (
    Metric(
        name="r2",
        label="R²",
        better="higher",
        meaning="The share of the target's variance that is explained: 0 is no better than the mean.",
    ),
    Metric(
        name="rmse",
        label="RMSE",
        better="lower",
        meaning="The root of the mean squared error: large errors count most.",
    ),
    Metric(
        name="mean_absolute_error",
        label="mean absolute error",
        better="lower",
        meaning="How far predictions are from the truth, on the mean.",
    ),
    Metric(
        name="median_absolute_error",
        label="median absolute error",
        better="lower",
        meaning="How far they are in the middle: half of the predictions are nearer.",
    ),
)
BY_NAME = {metric["name"]: metric for metric in (*CLASSES, *NUMBERS)}


def sign_of(name: str) -> int:
    """1 where higher is better, -1 where lower is."""
    return 1 if BY_NAME[name]["better"] == "higher" else -1
