"""What a person has to be warned of: each a rule, and a sentence that names the number that caused it and the fix."""

from collections.abc import Mapping

from nnxp.printing import counted
from nnxp.tabular.findings.layout import Document, Score, Warned
from nnxp.tabular.findings.measures import BY_NAME
from nnxp.tabular.findings.numerals import with_error
from nnxp.tabular.findings.telling import told

SURE = 2
"""A difference of fewer standard errors may be chance."""
GAP = {"accuracy": 0.05, "r2": 0.1}
"""How far the scores of training and test may lie apart; by more, and by three standard errors, and it is said."""
LEAK = 0.99
"""A column that alone has this ROC AUC, or R², predicts the target by itself."""
FEW_OF_A_CLASS, FEW_ROWS = 10, 100
"""A class, or a test part, of fewer rows is said to be small."""


def cautions(document: Document, alone: Mapping[str, float] | None = None) -> list[Warned]:
    """The warnings of a document.

    Parameters
    ----------
    document : Document
    alone : mapping of str to float, optional
        How well columns predict the target by themselves: `nnxp.tabular.findings.leaks.alone`.

    Returns
    -------
    list of Warned
        - "baseline": the model's log loss or RMSE is not lower than a baseline's by twice the standard error of the
          difference, which is taken row by row.
        - "gap": accuracy on the training and on the test part are more than 0.05 apart (R²: 0.1), and more than three
          standard errors.
        - "leak": a column alone reaches a ROC AUC, or R², of 0.99.
        - "rare class": a class has fewer than 10 rows in the training or in the test part.
        - "few rows": the test part has fewer than 100 rows.
    """
    return [
        *_baselines(document),
        *_gap(document),
        *_leaks(document, alone or {}),
        *_rare(document),
        *_few(document),
    ]


def _baselines(document: Document) -> list[Warned]:
    loss, (model, *baselines) = document["loss"], document["contenders"]
    found = []
    for baseline in baselines:
        better = (baseline["model_better_by"] or {}).get(loss, Score(value=None, error=None))
        value, error = better["value"], better["error"] or 0.0
        if value is None or value > SURE * error:
            continue
        label, (ours, theirs) = BY_NAME[loss]["label"], (c["scores"][loss]["value"] for c in (model, baseline))
        how = "worse by" if value < 0 else "better by only"
        text = (
            f"The model is no better than {baseline['label']}: its {label} is {with_error(ours)} against "
            f"{with_error(theirs)}, {how} {with_error(abs(value), error)}. Take the simpler one, bring more rows, or "
            "columns that say more about the target."
        )
        found.append(Warned(kind="baseline", text=text))
    return found


def _gap(document: Document) -> list[Warned]:
    main, training = document["main"], document["training"]
    if training is None:
        return []
    seen, new = training[main], document["contenders"][0]["scores"][main]
    if seen["value"] is None or new["value"] is None:
        return []
    gap = seen["value"] - new["value"]
    error = ((seen["error"] or 0.0) ** 2 + (new["error"] or 0.0) ** 2) ** 0.5
    if abs(gap) <= max(GAP[main], 3 * error):
        return []
    numbers = (
        f"{BY_NAME[main]['label']} {told(seen)} on the rows that it was trained on, {told(new)} on the test part, "
        f"{with_error(abs(gap), error)} {'less' if gap > 0 else 'more'}"
    )
    text = (
        f"The model has learned its rows by heart: {numbers}. Early stopping, dropout, weight decay, a smaller network "
        "or more rows narrow the gap."
        if gap > 0
        else f"The test part is easier than the training part: {numbers}. They are not drawn alike: look at how the "
        "rows were divided."
    )
    return [Warned(kind="gap", text=text)]


def _leaks(document: Document, alone: Mapping[str, float]) -> list[Warned]:
    label = "ROC AUC" if document["task"] == "classification" else "R²"
    return [
        Warned(
            kind="leak",
            text=f"The column {name!r} predicts {document['target']!r} by itself: {label} {score:.4f}, where 1 is "
            "perfect. If it is known only once the target is, leave it out.",
        )
        for name, score in sorted(alone.items(), key=lambda item: -item[1])
        if score >= LEAK and len(alone) > 1  # of one column, it is what there is to learn from
    ]


def _rare(document: Document) -> list[Warned]:
    rare = []
    for found in document["classes"] or ():
        parts = {"training": found["training"], "test": found["test"]}
        rows = {part: count for part, count in parts.items() if count is not None}
        if min(rows.values()) < FEW_OF_A_CLASS:
            counts = " and ".join(f"{count} in the {part} part" for part, count in rows.items())
            rare.append(f"{found['name']!r} ({counts})")
    if not rare:
        return []
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    text = (
        f"Classes of few rows: {', '.join(rare[:5])}{more}. Their scores may be chance: bring more rows of them, or "
        "put them together with another class."
    )
    return [Warned(kind="rare class", text=text)]


def _few(document: Document) -> list[Warned]:
    n, main = document["rows"]["test"], document["main"]
    if n >= FEW_ROWS:
        return []
    score = told(document["contenders"][0]["scores"][main])
    text = (
        f"The test part has {counted(n, 'row')} only: {BY_NAME[main]['label']} {score}. "
        "Smaller differences than twice the error may be chance: test on more rows, or by cross-validation."
    )
    return [Warned(kind="few rows", text=text)]
