"""Members that stop one by one, each as it would alone."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Dropout, Sequential
from nnxp.callbacks import Checkpoint, MemberStopping
from nnxp.training.packing import Packing, train
from tests.helpers.matrix import Target
from tests.training.test_members import close, weights

N, M, K = 40, 5, 7
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N, M))
Y = (X[:, 0] + X[:, 1] ** 2 + 0.5 * RNG.standard_normal(N) > 0.5).astype(int)
FOLDS = np.stack([1.0 * (np.arange(N) % K != k) for k in range(K)], axis=1)
EPOCHS = 40


def several(target: Target) -> Sequential:
    layers = [Dense(M, 6), "tanh", Dropout(0.2), Dense(6, 2), "softmax"]
    optimizer = nnxp.Adam(0.02, factors={"members": [1, 2, 3, 4, 0.1, 6, 7]}, ema=0.5)
    place: dict[str, Any] = {"backend": target.spec, "dtype": "float64", "seed": 1}
    return Sequential(layers, "categorical_crossentropy", optimizer, members=K, **place)


class Alone:
    """scikit-learn's `_update_no_improvement_count`, of one network's loss."""

    events = ("epoch", "end")

    def __init__(self, name: str, tol: float, patience: int, best_weights: bool) -> None:
        self.name, self.tol, self.patience, self.best_weights = name, tol, patience, best_weights
        self.best, self.count, self.kept, self.losses = math.inf, 0, None, list[float]()

    def __call__(self, state: Any) -> None:
        store, loss = state.model.store, state.record.get(self.name)
        if state.event == "end":
            if self.best_weights:
                store.values[...] = self.kept
            return
        self.losses.append(state.record["loss"])
        if loss > self.best - self.tol:
            self.count += 1
        else:
            self.count = 0
        if loss < self.best:
            self.best, self.kept = loss, store.backend.asarray(store.values, copy=True)
        state.stop = self.count > self.patience


def data(target: Target, monitor: str, members: Any) -> dict[str, Any]:
    x = target.asarray(X)
    w = FOLDS[:, list(members)] if len(members) > 1 else FOLDS[:, members[0]]
    held_out = {"validation_data": (x, Y, 1 - w)} if monitor.startswith("val_") else {}
    return {"X": x, "y": Y, "sample_weight": w, "batch_size": 16, "shuffle": False, **held_out}


RULES = [("val_member_loss", True), ("val_member_loss", False), ("member_loss", False)]


@pytest.mark.long
@pytest.mark.parametrize(("monitor", "restore_best"), RULES)
@pytest.mark.parametrize("packed", [True, False])
def test_each_stops_where_it_does_alone(monitor: str, restore_best: bool, packed: bool, backend: Target) -> None:
    many = several(backend)
    singles, asked = [many.member(k) for k in range(K)], (monitor, 3, 1e-3, restore_best)
    sizes = []
    if packed:
        stopping: MemberStopping = Packing(*asked)

        def fit(model: Sequential, members: Any, epochs: int, callback: Any) -> None:
            sizes.append(model.members)
            model.fit(epochs=epochs, callbacks=[callback], **data(backend, monitor, members))

        train(many, stopping, EPOCHS, fit)
        assert sizes[0] == K and sizes == sorted(sizes, reverse=True) and sizes[-1] < K
    else:
        stopping = MemberStopping(*asked)
        many.fit(epochs=EPOCHS, callbacks=[stopping], **data(backend, monitor, range(K)))
    lasts = []
    for k, model in enumerate(singles):
        alone = Alone(monitor.replace("member_", ""), 1e-3, 3, restore_best)
        model.fit(epochs=EPOCHS, callbacks=[alone], **data(backend, monitor, [k]))
        close(weights(many, k), weights(model))
        lasts.append(model.epoch)
        if packed:
            losses = [each[k] for each in many.history["member_loss"]]
            np.testing.assert_allclose(losses[: model.epoch], alone.losses, rtol=1e-9)
            assert all(map(math.isnan, losses[model.epoch :]))
        np.testing.assert_allclose(stopping.best_losses[k], alone.best, rtol=1e-9)
    assert len({*lasts}) > 2
    assert [last or EPOCHS for last in stopping.last_epochs] == lasts
    assert many.epoch == max(lasts)
    if packed:
        np.testing.assert_allclose(many.history["loss"], np.nanmean(many.history["member_loss"], axis=1), rtol=1e-12)
        assert {len(values) for values in many.history.values()} == {many.epoch}


def test_it_goes_on_from_a_file(tmp_path: Path) -> None:
    here = Target("numpy", "numpy", "numpy")
    path, given = tmp_path / "m.safetensors", data(here, "val_member_loss", range(K))
    whole, broken, resumed = several(here), several(here), several(here)

    def stop(state: Any) -> None:
        if state.epoch == 9:
            raise KeyboardInterrupt

    one, two = MemberStopping(patience=3), MemberStopping(patience=3)
    whole.fit(epochs=EPOCHS, callbacks=[one], **given)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(epochs=EPOCHS, callbacks=[copy.copy(two), Checkpoint(path, every_steps=1), stop], **given)
    resumed.fit(epochs=EPOCHS, callbacks=[two, Checkpoint(path, every_steps=1)], resume=path, **given)
    assert (one.last_epochs, one.best_epochs, one.best_losses) == (two.last_epochs, two.best_epochs, two.best_losses)
    for name, value in weights(whole).items():
        assert np.array_equal(weights(resumed)[name], value), name


def test_what_cannot_be_followed() -> None:
    with pytest.raises(ValueError, match="got monitor='val_loss', expected one of val_member_loss, member_loss"):
        MemberStopping("val_loss")
    many = several(Target("numpy", "numpy", "numpy"))
    with pytest.raises(ValueError, match="got no validation to take 'val_member_loss' from"):
        many.fit(X, Y, callbacks=[MemberStopping()])
    assert repr(MemberStopping(patience=3)) == "MemberStopping(patience=3)"


def test_members_that_share_weights_do_not_stop_one_by_one() -> None:
    model = nnxp.Sequential(
        [nnxp.Dense(2, 8), "relu", nnxp.Dense(8, 2), "softmax"], "categorical_crossentropy", members=3, shared=True
    )
    X = np.random.default_rng(0).standard_normal((20, 2))
    stopping = nnxp.callbacks.MemberStopping("member_loss")
    with pytest.raises(ValueError, match=r"got MemberStopping for members that share weights, .* EarlyStopping"):
        model.fit(X, X[:, 0] > 0, callbacks=[stopping])
