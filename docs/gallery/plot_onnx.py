"""
The same model elsewhere: ONNX
==============================

``export`` writes a file that predicts as the model does in whatever reads ONNX: a browser, a phone, a C++ program. Here
the reference evaluator of the standard reads it, and the two are compared on digits that neither has seen.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import nnxp

digits = nnxp.data.digits()
train, test = nnxp.data.split(digits.y, fraction=0.2, seed=0)
layers = [nnxp.Rescaling(1 / 16), nnxp.Dense(64, 32), nnxp.BatchNorm(32), "silu", nnxp.Dense(32, 10), "softmax"]
model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(5e-3), seed=0)
history = model.fit(digits.X[train], digits.y[train], epochs=10)

# %%
# The export checks itself before the file is written: it is run, and its error compared with that of ``predict``. It
# takes images as they are stored, bytes from 0 to 16.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.onnx"
    print(model.export(path, input_dtype="uint8", check=digits.X[train]))
    print(f"{path.stat().st_size:,} bytes")
    written = onnx.load(path)

print("operators:", ", ".join(node.op_type for node in written.graph.node))

# %%
# What the standard's own evaluator makes of it:

session = ReferenceEvaluator(written)
probabilities, label = session.run(None, {"X": digits.X[test].astype("uint8")})
ours = model.predict(digits.X[test])
print(f"largest difference of {ours.size} probabilities: {np.abs(probabilities - ours).max():.1e}")
print("the same classes:", bool(np.all(label == ours.argmax(axis=1))))

figure, axes = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
axes.loglog(ours.ravel(), probabilities.ravel(), ".", markersize=4)
axes.plot([1e-12, 1], [1e-12, 1], "k--", linewidth=1)
axes.set(xlabel="probability by nnxp", ylabel="probability by the ONNX file", xlim=(1e-12, 2), ylim=(1e-12, 2))
axes.grid(alpha=0.4)
plt.show()
