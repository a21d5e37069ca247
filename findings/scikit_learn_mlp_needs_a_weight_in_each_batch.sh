#!/usr/bin/env bash
# scikit-learn 1.9.1: a batch whose rows all weigh nothing ends the fit of its MLPs with a division by zero.
#
# A sample weight of 0 is allowed, and `BaggingClassifier` gives it to each row that a bag did not draw. Where all rows
# of one shuffled batch weigh 0, the mean loss of that batch is taken with weights that sum to 0, and NumPy raises
# ZeroDivisionError. Whether that happens depends on the seed, the batch size and what is left for an epoch's last
# batch: bags of MLPs with the default batch are well, with batch_size=32 on 100 rows, four of which are left over, none
# of ten was.
#
# nnxp's MLPs, in scikit-learn's bags too, take nothing from such a batch but the penalty and go on
# (tests/estimators/test_bagging.py).
#
# Seen with scikit-learn 1.9.1 and numpy 2.4.6 on Python 3.11:
#     MLPClassifier, half of the rows of weight 0, batch_size=4: 10 of 10 raise
#     MLPRegressor, half of the rows of weight 0, batch_size=4: 10 of 10 raise
#     bags of MLPClassifier, batch_size='auto': 0 of 10 raise
#     bags of MLPClassifier, batch_size=32: 10 of 10 raise
#     ZeroDivisionError: Weights sum to zero, can't be normalized
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet scikit-learn==1.9.1 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore")
X, y = make_classification(100, 5, random_state=0)
weights = np.r_[np.ones(50), np.zeros(50)]
said = set()


def raising(fit):
    found = 0
    for seed in range(10):
        try:
            fit(seed)
        except ZeroDivisionError as error:
            said.add(f"ZeroDivisionError: {error}")
            found += 1
    return found


options = {"hidden_layer_sizes": (8,), "max_iter": 20}
counts = []
for kind, target in ((MLPClassifier, y), (MLPRegressor, X[:, 0])):
    counts.append(raising(lambda s: kind(**options, batch_size=4, random_state=s).fit(X, target, sample_weight=weights)))
    print(f"{kind.__name__}, half of the rows of weight 0, batch_size=4: {counts[-1]} of 10 raise")
for size in ("auto", 32):
    bags = lambda s: BaggingClassifier(MLPClassifier(**options, batch_size=size), 10, random_state=s).fit(X, y)
    counts.append(raising(bags))
    print(f"bags of MLPClassifier, batch_size={size!r}: {counts[-1]} of 10 raise")
print(*said)
assert counts == [10, 10, 0, 10] and said == {"ZeroDivisionError: Weights sum to zero, can't be normalized"}
print("as it was")
PYTHON
