"""What the rows of a training and its test make one doubt the scores for."""

import re

import numpy as np

from nnxp.cli import seen
from nnxp.cli.dividing import group_numbers
from nnxp.cli.tables import Part, Prepared
from nnxp.tabular.findings.layout import Warned
from nnxp.tabular.kinds.deciding import CALLED_ID

FEWEST = 10
"""So many different values at least say whose a row is: of fewer, not one more could be predicted."""
SURE = 3
"""Standard errors by which more test rows than by chance are rows of the training."""
_called_somebody = re.compile(
    r"(?i)(?:patient|subject|participant|person|respondent|customer|client|user|household|family|student|pupil|animal)"
    r"(?:[ _.-]?(?:no|nr|num|number|code|key|#))?"
)


def suspicions(prepared: Prepared) -> list[Warned]:
    """The warnings: "known rows" of a file to test on, and "groups" of rows that are drawn one by one."""
    if not prepared.held_out:
        return _known_rows(prepared.training, prepared.test)
    if prepared.held_out["split_by"] is not None or prepared.held_out["time"] is not None:
        return []
    return _groups(prepared)


def _known_rows(training: Part, test: Part) -> list[Warned]:
    """Whether more test rows are rows of the training than rows of the training have a twin there."""
    ours, theirs = (seen.hashes(np.column_stack([part.X, part.y]), "float64") for part in (training, test))
    known, n = int(np.isin(theirs, ours).sum()), len(theirs)
    _, index, counts = np.unique(ours, return_inverse=True, return_counts=True)
    twins = float(np.mean(counts[index] > 1))
    is_same = len(ours) == n and bool((np.sort(ours) == np.sort(theirs)).all())
    if not is_same and known <= n * twins + SURE * (n * twins * (1 - twins)) ** 0.5:
        return []
    if known == n:
        what = "the very rows that the model was trained on" if is_same else "rows that the model was trained on too"
        text = f"All {n:,} test rows are {what}: the scores say nothing of new ones. Test on others"
        return [Warned(kind="known rows", text=f"{text}, or leave --test out: then a fifth of the rows is set aside.")]
    text = f"{known:,} of the {n:,} test rows are rows of the training part too, their target included"
    text += ": the scores are better than those of new rows. Leave these rows out of one of the two files."
    return [Warned(kind="known rows", text=text)]


def _groups(prepared: Prepared) -> list[Warned]:
    """Which columns seem to say whose a row is, each of several rows."""
    found = []
    for name in (decision.name for decision in prepared.encoder.decisions if decision.used):
        if CALLED_ID.fullmatch(name) or _called_somebody.fullmatch(name):
            rows, groups = len(prepared.training.y), int(group_numbers(prepared.training.table, name).max()) + 1
            if FEWEST <= groups <= rows / 2:
                text = (
                    f"The column {name!r} has {groups:,} different values in {rows:,} rows. If it says whose a row is, "
                    "rows of one are in the training and in the test part, and the scores are too good for new ones: "
                    f"perhaps --split-by {name}, which keeps them together."
                )
                found.append(Warned(kind="groups", text=text))
    return found
