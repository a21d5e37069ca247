"""Files and pickles of nnxp 0.1.0 as it was before its modules moved into rooms, and what they gave.

    python make.py FOLDER        # with the nnxp of commit e1fe2b8, the extra `sklearn` and NNXP_FAST=0

made what lies beside this script: `trained.safetensors` and `stopped.safetensors` are a model's files, the second saved
in the middle of a fit; `objects.pickle` is a dict of what a pickle may hold; `given.npz` has the data, and what models
and estimators predicted for them.
"""

import pickle
import sys
import warnings
from pathlib import Path

import numpy as np

import nnxp
from nnxp import callbacks, data, initializers, losses, schedules

X, Y = (np.asarray(a)[::10] for a in data.spiral(seed=0))


def model() -> nnxp.Sequential:
    layers = [nnxp.Dense(2, 8, l2=1e-3), nnxp.BatchNorm(8), "silu", nnxp.Dropout(0.1), nnxp.Dense(8, 3), "softmax"]
    optimizer = nnxp.Adam(0.01, schedule=schedules.Cosine(), ema=0.9, clip_norm=1.0)
    return nnxp.Sequential(layers, loss="categorical_crossentropy", optimizer=optimizer, seed=0)


class Stopped(Exception):
    """Ends a fit."""


class StopAt:
    """A callback that ends a fit after step 5, once the checkpoint is written."""

    events, last = ("step",), True

    def __call__(self, state: callbacks.State) -> None:
        if state.step == 5:
            raise Stopped


def main(folder: Path) -> None:
    trained, stopped = model(), model()
    trained.fit(X, Y, epochs=2, batch_size=8)
    trained.classes = ["a", "b", "c"]
    trained.save(folder / "trained.safetensors")
    checkpoint = callbacks.Checkpoint(folder / "stopped.safetensors", every_steps=5)
    try:
        stopped.fit(X, Y, epochs=2, batch_size=8, callbacks=[checkpoint, StopAt()])
    except Stopped:
        stopped.fit(X, Y, epochs=2, batch_size=8, resume=checkpoint.path)  # as it ends where it goes on
    classifier = nnxp.MLPClassifier(hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit(X, np.array([*"abc"])[Y])
    regressor = nnxp.MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit(X, X[:, 0] * 100 + 7)
    layer = nnxp.Dense(2, 3, seed=0)
    output = layer.forward(X)
    objects = {
        "layers": [
            nnxp.Dense(2, 3, initializer="glorot_normal"), nnxp.BatchNorm(3), nnxp.LayerNorm(3), nnxp.Dropout(0.5),
            nnxp.Rescaling(2.0, 1.0), nnxp.Neuron([1.0, 2.0], 3.0), nnxp.NeuronLayer([nnxp.Neuron([1.0, 2.0], 3.0)]),
        ],
        "activations": [
            nnxp.ReLU(), nnxp.LeakyReLU(0.2), nnxp.ELU(), nnxp.SELU(), nnxp.GELU("tanh"), nnxp.SiLU(), nnxp.Mish(),
            nnxp.Sigmoid(), nnxp.Tanh(), nnxp.Softplus(), nnxp.Softmax(), nnxp.Linear(),
        ],
        "losses": [
            nnxp.CategoricalCrossentropy(label_smoothing=0.1), nnxp.BinaryCrossentropy(), nnxp.SoftmaxCrossentropy(),
            nnxp.SigmoidCrossentropy(), nnxp.MeanSquaredError(), nnxp.MeanAbsoluteError(), nnxp.Huber(2.0),
            losses.StandardisedLoss("huber", [2.0]),
        ],
        "optimizers": [
            nnxp.SGD(0.1, momentum=0.9), nnxp.Adagrad(), nnxp.RMSprop(), nnxp.Adam(), nnxp.AdamW(), nnxp.Lion(),
            nnxp.LBFGS(),
        ],
        "schedules": [
            schedules.InverseTimeDecay(0.1), schedules.StepDecay(3), schedules.ExponentialDecay(0.9, 10),
            schedules.Cosine(), schedules.LinearWarmup(5), schedules.OneCycle(), schedules.ReduceOnPlateau(),
            schedules.get_schedule(schedules.Cosine()),
        ],
        "callbacks": [
            callbacks.EarlyStopping(patience=3), callbacks.Checkpoint("a.safetensors"), callbacks.CSVLog("a.csv"),
            callbacks.Interruption(),
        ],
        "initializers": [kind() for kind in initializers.INITIALIZERS],
        "backend": nnxp.get_backend("numpy", "float64", fast=False),
        "layer": layer,
        "store": layer.store,
        "new model": model(),
        "trained": trained,
        "classifier": classifier,
        "regressor": regressor,
        "estimators": [nnxp.MLPClassifier(callbacks=[callbacks.EarlyStopping()]), nnxp.MLPRegressor(solver="sgd")],
        "data": data.Dataset("two rows", X[:2], Y[:2], None, None, ("a", "b", "c"), "classification", {}, None),
        "functions": [
            nnxp.load, nnxp.check_gradients, nnxp.get_backend, nnxp.metrics.accuracy, data.split, data.spiral,
            nnxp.kernels.formulas.relu, nnxp.kernels.fuse, nnxp.kernels.compose, nnxp.kernels.show, data.csv, data.npz,
        ],
        "errors": [
            nnxp.DataError("d"), nnxp.ModelFileError("m"), nnxp.NonFiniteLossError("n"), nnxp.NotComputedError("c"),
            nnxp.BackendMismatchError("b"), nnxp.BackendUnavailableError("u"),
        ],
        "report": nnxp.check_gradients(nnxp.Dense(2, 2, seed=0), [[1.0, 2.0]]),
    }  # fmt: skip
    with (folder / "objects.pickle").open("wb") as file:
        pickle.dump(objects, file, protocol=4)
    given = {"trained": trained.predict(X), "stopped": stopped.predict(X), "layer": output}
    given |= {"classifier": classifier.predict_proba(X), "regressor": regressor.predict(X)}
    np.savez_compressed(folder / "given.npz", X=X, Y=Y, **given)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the estimators' trainings are short
    main(Path(sys.argv[1]))
