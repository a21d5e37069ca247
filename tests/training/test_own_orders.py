"""Members that take the rows in orders of their own: each is what its seed gives alone, shuffled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import BatchNorm, Dense, Dropout, Rescaling, Residual, Sequential
from tests.helpers.matrix import Target
from tests.training.test_members import (
    CLASSES,
    HEADS,
    LABELS,
    PAIRS,
    TARGETS,
    WEIGHTS,
    K,
    M,
    N,
    X,
    close,
    several,
    weights,
)

OF_EACH = np.stack([WEIGHTS * (np.arange(N) % K != k) for k in range(K)], axis=1)
OWN: dict[str, Any] = {"epochs": 3, "batch_size": 7, "shuffle": "members"}


def follow(many: Sequential, x: Any, y: Any, w: Any = None, **given: Any) -> dict[str, Any]:
    """Trains the members together, and each by itself on the same rows, weights and options: to the same end."""
    alone = [many.member(k) for k in range(K)]
    history = many.fit(x, y, sample_weight=w, **OWN | given)
    for k, model in enumerate(alone):
        own = model.fit(x, y, sample_weight=w if np.ndim(w) < 2 else w[:, k], **OWN | given)
        close(weights(many, k), weights(model))
        for name in own.keys() - {"learning_rate", "seconds"}:
            together = history[f"val_member_{name[4:]}" if name.startswith("val_") else f"member_{name}"]
            np.testing.assert_allclose([entry[k] for entry in together], own[name], rtol=1e-9, err_msg=name)
    return history


@pytest.mark.long
@pytest.mark.parametrize(("body", "head"), PAIRS, ids=map("-".join, PAIRS))
def test_a_member_ends_where_it_ends_alone(body: str, head: str, backend: Target) -> None:
    x, y = backend.asarray(X), HEADS[head][2]
    follow(several(body, head, backend), x, y, WEIGHTS, validation_data=(x, y))


@pytest.mark.parametrize(
    ("body", "head", "w"),
    [("dropout", "classes", None), ("normalised", "numbers", WEIGHTS), ("residual", "bits", OF_EACH)],
)
def test_rows_of_ones_own_and_their_weights(body: str, head: str, w: Any, backend: Target) -> None:
    x, y = backend.asarray(X), HEADS[head][2]
    follow(several(body, head, backend), x, y, w, validation_data=(x, y), drop_last=head == "numbers")


def test_beside_members_that_differ_in_more(backend: Target) -> None:
    layers = [Rescaling(1 / 16), Dense(M, 5, l2=[0.0, 0.1, 0.3]), "relu", Dropout([0.5, 0.0, 0.2])]
    optimizer = nnxp.Adam(0.01, factors={"members": [1.0, 0.1, 3.0]})
    loss = nnxp.CategoricalCrossentropy(class_weight=[1.0, 2.0, 0.5, 3.0])
    many = Sequential(
        [*layers, Dense(5, CLASSES), "softmax"], loss, optimizer, members=K, seed=1, backend=backend.spec,
        dtype="float64",
    )  # fmt: skip
    follow(many, backend.asarray((X * 40 % 255).astype(np.uint8)), LABELS)


def test_rows_on_disk_and_rows_held_out(tmp_path: Path) -> None:
    for name, a in (("X", X), ("y", LABELS)):
        np.save(tmp_path / f"{name}.npy", a)
    x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "Xy")
    target = Target("numpy", "numpy", "numpy")
    follow(several("dense", "classes", target), x, y)
    split, given = several("dense", "classes", target), several("dense", "classes", target)
    train, held_out = nnxp.data.split(LABELS, 0.25, split.seed)
    history = split.fit(x, y, validation_split=0.25, **OWN)
    expected = follow(given, X[train], LABELS[train], validation_data=(X[held_out], LABELS[held_out]))
    assert history["val_member_loss"] == expected["val_member_loss"]


@pytest.mark.parametrize("shuffle", ["members", True])
def test_a_fit_goes_on_in_the_middle_of_an_epoch(shuffle: Any, backend: Target, tmp_path: Path) -> None:
    """And before a last batch of one row, which `BatchNorm` takes of an epoch that has had others."""

    def model() -> Sequential:
        layers = [Dense(M, 5), BatchNorm(5), "relu", Residual([Dense(5, 5), "tanh"]), Dense(5, CLASSES), "softmax"]
        return Sequential(layers, "categorical_crossentropy", seed=2, members=K, backend=backend.spec)

    def stop(state: Any) -> None:
        if state.step == 8:  # the file is of the step before
            raise KeyboardInterrupt

    stop.events = ("step",)  # type: ignore[attr-defined]
    every = nnxp.callbacks.Checkpoint(tmp_path / "m.safetensors", every_steps=1)
    whole, broken, resumed = model(), model(), model()
    x, y, given = backend.asarray(X[:22]), LABELS[:22], {"epochs": 2, "batch_size": 7, "shuffle": shuffle}
    whole.fit(x, y, **given)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(x, y, callbacks=[stop, every], **given)
    other = "members" if shuffle is True else True
    with pytest.raises(nnxp.ModelFileError, match=f"got shuffle {other!r}, expected {shuffle!r}"):
        resumed.fit(x, y, resume=every.path, callbacks=[every], **given | {"shuffle": other})
    resumed.fit(x, y, resume=every.path, callbacks=[every], **given)
    for name, value in weights(whole).items():
        assert np.array_equal(weights(resumed)[name], value), name


def test_micro_batches(backend: Target) -> None:
    one, parts = several("dense", "numbers", backend), several("dense", "numbers", backend)
    for model, size in ((one, None), (parts, 5)):
        model.fit(backend.asarray(X), TARGETS, micro_batch_size=size, **OWN | {"batch_size": 12})
    close(weights(parts), weights(one))


def test_a_loss_that_is_not_finite_is_explained() -> None:
    many = several("dense", "numbers", Target("numpy", "numpy", "numpy"), nnxp.SGD(1e200))
    before = weights(many)
    with pytest.raises(nnxp.NonFiniteLossError, match="running that batch again, .* give the optimizer clip_value=1.0"):
        many.fit(X, TARGETS, **OWN)  # clip_norm is refused of several
    close(weights(many), before)


@pytest.mark.parametrize(
    ("rates", "whose"), [([0.0, 1e200, 0.0], "member 1"), ([1e200, 0.0, 1e200], "members 0, 2"), ([1e200], "")]
)
def test_whose_loss_is_not_finite(rates: list[float], whose: str) -> None:
    """In an epoch's first step, and in a later one; of one network there is nothing to say."""
    for size in (len(X), 8):
        factors = {"members": rates} if len(rates) > 1 else None
        optimizer = nnxp.SGD(1.0 if factors else rates[0], factors=factors)
        layers = [Dense(M, 5), "relu", Dense(5, 1)]
        many = Sequential(layers, "mean_squared_error", optimizer, seed=0, members=len(rates), dtype="float64")
        with pytest.raises(nnxp.NonFiniteLossError) as told:
            many.fit(X, TARGETS[:, :1], 3, size, shuffle=False, progress=False)
        words = str(told.value).split("; running")[0]
        assert words.endswith(f"){', ' * bool(whose)}{whose}{',' * bool(whose)} is not a finite number")


def test_who_has_no_order_of_its_own() -> None:
    def model(**given: Any) -> Sequential:
        layers = [Dense(M, 5), "relu", Dense(5, CLASSES), "softmax"]
        return Sequential(layers, "categorical_crossentropy", seed=0, **given)

    one, plain = model(), model()
    assert one.fit(X, LABELS, **OWN)["loss"] == plain.fit(X, LABELS, **OWN | {"shuffle": True})["loss"]
    many, shared = model(members=K), model(members=K, shared=True)
    with pytest.raises(ValueError, match='got shuffle="members" for an iterable of batches, expected arrays'):
        many.fit([(X, LABELS)], shuffle="members")
    with pytest.raises(ValueError, match='got shuffle="members" for members that share weights, expected shuffle=True'):
        shared.fit(X, LABELS, shuffle="members")
    with pytest.raises(ValueError, match='got shuffle="members" for micro_batch_size and weights'):
        many.fit(X, LABELS, shuffle="members", sample_weight=WEIGHTS, micro_batch_size=2)
    with pytest.raises(ValueError, match="got shuffle='rows', expected True or False, or \"members\""):
        many.fit(X, LABELS, shuffle="rows")  # type: ignore[arg-type]
