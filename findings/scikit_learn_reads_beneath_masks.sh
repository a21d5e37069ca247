#!/usr/bin/env bash
# scikit-learn 1.9.1: what `numpy.ma` masks is used as if it were data, without a word; a DataFrame in between makes it NaN.
#
# Instruments' files give masked arrays whose masked cells hold a fill value, -999 say. `check_array`, through which every
# estimator takes its input, keeps the fill value and drops the mask, so that a mean is one of fill values and a score is
# finite. pandas reads the same array as NaN, so that one more step in a pipeline decides what a fit has seen.
#
# nnxp refuses an array in which something is masked, in its estimators before `check_array` sees it
# (nnxp/backends/record.py; held by tests/doors/test_masks.py).
#
# Seen with scikit-learn 1.9.1, numpy 2.4.6 and pandas 3.1.1 on Python 3.11:
#     NumPy's own mean, of what is not masked: 1.0
#     StandardScaler's mean of the masked array: -249.0, warnings: 0
#     StandardScaler's mean of a DataFrame of it: 1.0, warnings: 0
#     check_array of the masked array gives ndarray, its last cell -999.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cat > "$folder/seen.py" <<'PYTHON'
import warnings

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

x = np.ma.masked_equal(np.array([[0.0], [1.0], [2.0], [-999.0]]), -999.0)
print(f"NumPy's own mean, of what is not masked: {x.mean()}")
for name, given in (("the masked array", x), ("a DataFrame of it", pd.DataFrame(x, columns=["x"]))):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mean = StandardScaler().fit(given).mean_[0]
    print(f"StandardScaler's mean of {name}: {mean}, warnings: {len(caught)}")
taken = check_array(x)
print(f"check_array of the masked array gives {type(taken).__name__}, its last cell {taken[-1, 0]}")
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
NumPy's own mean, of what is not masked: 1.0
StandardScaler's mean of the masked array: -249.0, warnings: 0
StandardScaler's mean of a DataFrame of it: 1.0, warnings: 0
check_array of the masked array gives ndarray, its last cell -999.0
SEEN
echo "as it was"
