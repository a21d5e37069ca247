"""Handwritten digits: train, evaluate, save, load, predict. One word moves it to another backend.

python examples/digits.py --backend torch
"""

import argparse
import tempfile
from pathlib import Path

import nnxp
from nnxp import Adam, Dense, Dropout, ReLU, Rescaling, Sequential, Softmax, data

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--backend", default="numpy")
parser.add_argument("--epochs", type=int, default=30)
arguments = parser.parse_args()

digits = data.digits()
train, test = data.split(digits.y, fraction=0.2, seed=0)

model = Sequential(
    [Rescaling(1 / 16), Dense(64, 128), ReLU(), Dropout(0.2), Dense(128, 10), Softmax()],
    loss="categorical_crossentropy",
    optimizer=Adam(learning_rate=2e-3),
    backend=arguments.backend,
    seed=0,
)
model.summary()
history = model.fit(digits.X[train], digits.y[train], epochs=arguments.epochs, batch_size=32)
print(f"training loss: {history['loss'][0]:.3f} -> {history['loss'][-1]:.3f}")
print(f"test accuracy: {model.evaluate(digits.X[test], digits.y[test])['accuracy']:.3f}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    model.save(path)
    again = nnxp.load(path, backend="numpy")
guess = again.predict(digits.X[test[:5]]).argmax(axis=1)
print("five test digits:", digits.y[test[:5]].tolist(), "read as", guess.tolist())
