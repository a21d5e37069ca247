#!/usr/bin/env bash
# scikit-learn 1.9.1: MLPClassifier(learning_rate="adaptive") divides the rate by 5 after n_iter_no_change + 1 epochs
# without an improvement of `tol`, 11 by default; its page says "each time two consecutive epochs fail".
#
# Who writes the rule anew from the page, or chooses `max_iter` by it, gets another training. (The training ends where the
# rate would no longer be above 1e-6, which is why the first list is short.)
#
# nnxp's estimators follow the code (nnxp/estimators/rate.py; held by tests/estimators/test_estimators_carried_over.py).
#
# Seen with scikit-learn 1.9.1 and numpy 2.4.6 on Python 3.11:
#     the page: two consecutive epochs
#     n_iter_no_change=2: the rate was lowered after epochs 4, 7, 10, 13, 16
#     n_iter_no_change=10: the rate was lowered after epochs 12, 23, 34
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cat > "$folder/seen.py" <<'PYTHON'
import contextlib
import io
import re
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
page = re.sub(r"\s+", " ", MLPClassifier.__doc__)
print("the page:", re.search(r"Each time (two consecutive epochs) fail to decrease training loss", page).group(1))
rng = np.random.default_rng(0)
X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
for patience, epochs in ((2, 20), (10, 40)):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        # A loss that falls by less than tol in each epoch: no epoch but the first is an improvement.
        MLPClassifier(
            (2,), solver="sgd", learning_rate="adaptive", learning_rate_init=1e-3, tol=10.0, max_iter=epochs,
            n_iter_no_change=patience, random_state=0, verbose=True,
        ).fit(X, y)
    lowered, epoch = [], 0
    for line in said.getvalue().splitlines():
        epoch = int(m.group(1)) if (m := re.match(r"Iteration (\d+)", line)) else epoch
        if "Setting learning rate" in line:
            lowered.append(epoch)
    print(f"n_iter_no_change={patience}: the rate was lowered after epochs", ", ".join(map(str, lowered)))
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
the page: two consecutive epochs
n_iter_no_change=2: the rate was lowered after epochs 4, 7, 10, 13, 16
n_iter_no_change=10: the rate was lowered after epochs 12, 23, 34
SEEN
echo "as it was"
