#!/usr/bin/env bash
# scikit-learn 1.9.1: QuantileTransformer(output_distribution="normal") gives a value that many rows share its place among
# the quantiles, but the least (and the greatest) of all values an end of the distribution, however many rows have it. Of
# a column of 90 % zeros the zeros become -5.2 standard deviations, and the column's mean is -4.5: the transformation
# that is to tame a skewed column makes an outlier of its most frequent value. With the zeros in the middle of the values
# they become 0.
#
# What multiplies the column by a weight sees -5.2 in nine rows of ten. Counts, amounts and hours are such columns.
#
# nnxp's scaling="quantile" takes the middle of the share of rows that have a value, also of the least and the greatest
# (nnxp/tabular/encoders/scaling.py; held by tests/tabular/test_scaling.py).
#
# Seen with numpy 2.4.6 on Python 3.11, 900 zeros and 100 other values:
#     scikit-learn 1.9.1: zeros below the others become -5.2, the mean is -4.50; zeros between them become 0.0, the mean is 0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet scikit-learn==1.9.1 numpy==2.4.6
cat > "$folder/seen.py" <<'PYTHON'
import numpy as np
import sklearn
from sklearn.preprocessing import QuantileTransformer

said = []
for others in (np.arange(1.0, 101), np.r_[-np.arange(1.0, 51), np.arange(1.0, 51)]):
    x = np.r_[np.zeros(900), others][:, None]
    z = QuantileTransformer(n_quantiles=1000, output_distribution="normal").fit_transform(x)
    said.append(f"become {z[0, 0].round(1) + 0.0}, the mean is {z.mean() + 0.0:.2f}")
print(f"scikit-learn {sklearn.__version__}: zeros below the others {said[0]}; zeros between them {said[1]}")
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" | tee "$folder/out"
diff "$folder/out" - <<'SEEN'
scikit-learn 1.9.1: zeros below the others become -5.2, the mean is -4.50; zeros between them become 0.0, the mean is 0.00
SEEN
echo "as it was"
