"""Some of a model's members, trained on without the others."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import AdamW, Dense, Dropout, Residual, Sequential
from nnxp.network.member import subset, transfer
from tests.helpers.matrix import Target
from tests.training.test_members import BODIES, LABELS, K, M, X, close, several, weights

DIFFERING = [2, 0]


def differing(target: Target) -> Sequential:
    """Members that differ in all that they may differ in."""
    layers = [
        Dense(M, 5, l2=[0.0, 0.1, 0.3], bias_l1=[0.2, 0.0, 0.1]), "relu", Dropout([0.5, 0.0, 0.2]),
        Residual([Dense(5, 5, l1=[0.3, 0.2, 0.1]), "tanh"]), Dense(5, 4), "softmax",
    ]  # fmt: skip
    optimizer = AdamW(
        0.01, factors={"members": [1.0, 0.1, 3.0], "biases": 0.5}, decay_factors={"members": [0.0, 1.0, 2.0]}, ema=0.9
    )
    place: dict[str, Any] = {"backend": target.spec, "dtype": "float64", "seed": 4}
    return Sequential(layers, "categorical_crossentropy", optimizer, members=K, **place)


@pytest.mark.long
@pytest.mark.parametrize("body", [*BODIES, "differing"])
@pytest.mark.parametrize("members", [[2, 0], [1]])
def test_some_go_on_as_in_the_whole(body: str, members: list[int], backend: Target) -> None:
    many = differing(backend) if body == "differing" else several(body, "classes", backend)
    x = backend.asarray(X)
    arguments: dict[str, Any] = {"epochs": 2, "batch_size": 7}
    many.fit(x, LABELS, **arguments)
    some, whole = subset(many, members), subset(many, [*range(K)])
    assert (some.members, some.epoch, some.step) == (len(members), many.epoch, many.step)
    history = some.fit(x, LABELS, **arguments)
    many.fit(x, LABELS, **arguments)
    each = [weights(some, k) if len(members) > 1 else weights(some) for k in range(len(members))]
    for own, k in zip(each, members, strict=True):
        close(own, weights(many, k))
    losses = [[epoch[k] for k in members] for epoch in many.history["member_loss"]]
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=1), rtol=1e-10)
    if len(members) > 1:
        np.testing.assert_allclose(history["member_loss"], losses, rtol=1e-10)
    before = weights(copy.deepcopy(whole))
    transfer(some, whole, [(j, k) for j, k in enumerate(members)])
    for k in range(K):
        close(weights(whole, k), weights(many, k) if k in members else {n: a[k] for n, a in before.items()})


def test_a_file_holds_their_seeds(tmp_path: Path) -> None:
    many = several("dropout", "classes", Target("numpy", "numpy", "numpy"))
    for members in ([2, 0], [1]):
        some = subset(many, members)
        some.save(tmp_path / "m.safetensors")
        loaded = nnxp.load(tmp_path / "m.safetensors")
        assert loaded.seeds == [many.seeds[k] for k in members] and loaded.seed == many.seed
        for model in (some, loaded):
            model.fit(X, LABELS, epochs=2)
        assert some.history["loss"] == loaded.history["loss"]


def test_members_of_one_seed_begin_alike() -> None:
    one, many = [
        Sequential([Dense(M, 5), "tanh", Dense(5, 2)], "mean_squared_error", seed=3, **given)
        for given in ({}, {"members": 2})
    ]
    many.seeds = [3, 8]
    W = many.layers[0].weights
    assert np.array_equal(W[0], one.layers[0].weights) and not np.array_equal(W[0], W[1])


def test_seeds_and_members_that_there_are_not() -> None:
    many = several("dense", "classes", Target("numpy", "numpy", "numpy"))
    with pytest.raises(ValueError, match="got 2 seeds for a model of 3 members, expected one for each"):
        many.seeds = [1, 2]
    with pytest.raises(IndexError, match="got member 3, expected one from 0 to 2"):
        subset(many, [0, 3])
