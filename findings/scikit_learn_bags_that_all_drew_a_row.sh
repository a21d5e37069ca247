#!/usr/bin/env bash
# scikit-learn 1.9.1: the out-of-bag results of rows that every bag drew are numbers.
#
# With few estimators some rows are in every bag, and no estimator is left to judge them. `oob_decision_function_` is NaN
# there, but `BaggingClassifier.oob_score_` counts each as predicted to be the first class, so that the score depends on
# which class is called first; `BaggingRegressor.oob_prediction_` is 0 for them, where its documentation says NaN, and 0
# enters R2. A UserWarning says that some inputs have no scores, not what was done with them.
#
# nnxp's bags (`MLPClassifier(bootstrap=True, oob_score=True)`) give NaN for such rows and score the others alone
# (tests/estimators/test_bagging.py).
#
# Seen with scikit-learn 1.9.1 and numpy 2.4.6 on Python 3.11:
#     rows in every bag: 79 of 200
#     oob_score_ as it is 0.655, of the other rows alone 1; the classes renamed 0.95
#     a target around 1000, rows in every bag: oob_prediction_ [0.]
#     oob_score_ -141, of the other rows alone 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.simplefilter("ignore")
x = np.arange(200.0)[:, None]
late = np.random.default_rng(0).permutation(200) < 180
y = np.where(late, "late", "early")
X = np.where(late, 1.0, 0.0)[:, None]


def scored(y):
    bags = BaggingClassifier(DecisionTreeClassifier(), 2, oob_score=True, random_state=0).fit(X, y)
    none = np.isnan(bags.oob_decision_function_[:, 0])
    others = bags.classes_[bags.oob_decision_function_[~none].argmax(axis=1)] == y[~none]
    return bags.oob_score_, others.mean(), none.sum()


score, others, none = scored(y)
renamed, _, _ = scored(np.where(late, "a", "b"))
print(f"rows in every bag: {none} of 200")
print(f"oob_score_ as it is {score:.3g}, of the other rows alone {others:.3g}; the classes renamed {renamed:.3g}")
number = 1000 + x[:, 0]
bags = BaggingRegressor(DecisionTreeRegressor(), 2, oob_score=True, random_state=0).fit(x, number)
drawn = np.all([np.isin(np.arange(200), rows) for rows in bags.estimators_samples_], axis=0)
print(f"a target around 1000, rows in every bag: oob_prediction_ {np.unique(bags.oob_prediction_[drawn])}")
alone = r2_score(number[~drawn], bags.oob_prediction_[~drawn])
print(f"oob_score_ {bags.oob_score_:.3g}, of the other rows alone {alone:.3g}")
assert none > 0 and others == 1 and score < 1 and renamed != score
assert drawn.any() and not bags.oob_prediction_[drawn].any() and bags.oob_score_ < 0 < alone
print("as it was")
PYTHON
