#!/usr/bin/env bash
# sklearn-onnx 1.20.0: a classifier converted for float64 inputs, by the defaults, is a file that onnxruntime refuses.
#
# `to_onnx` puts a ZipMap behind the probabilities unless `options={"zipmap": False}` is given. ONNX's ZipMap takes
# float32 alone; for float64 inputs the probabilities are float64, the conversion and onnx's checker say nothing, and
# onnxruntime refuses the file when it is loaded, far from who wrote it. A file of float32 inputs loads.
#
# nnxp's step in a pipeline refuses such a conversion by name, with the option that mends it
# (nnxp/estimators/pipelines.py, tests/estimators/test_pipelines.py).
#
# Seen with skl2onnx 1.20.0, onnx 1.23.2, onnxruntime 1.32.0 and scikit-learn 1.9.1 on Python 3.11:
#     float32, by the defaults: loads
#     float64, by the defaults: passes onnx's checker, onnxruntime raises InvalidGraph
#     float64, zipmap False: loads
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

X = np.random.default_rng(0).normal(size=(50, 3))
model = LogisticRegression().fit(X, np.where(X[:, 0] > 0.1, "yes", "no"))


def loads(X, **options):
    made = to_onnx(model, X, **options)
    onnx.checker.check_model(made)
    try:
        onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        return f"passes onnx's checker, onnxruntime raises {type(error).__name__}"
    return "loads"


found = [
    ("float32, by the defaults", loads(X.astype(np.float32))),
    ("float64, by the defaults", loads(X)),
    ("float64, zipmap False", loads(X, options={"zipmap": False})),
]
for what, said in found:
    print(f"{what}: {said}")
assert [said == "loads" for _, said in found] == [True, False, True]
print("as it was")
PYTHON
