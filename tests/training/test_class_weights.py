"""Class weights and the ignored label: in the loss by hand, in a model's step, and in what it reports.

PyTorch's `CrossEntropyLoss(weight=, ignore_index=)` divides by the sum of the weights as we do. With label smoothing it
weighs each class's part of a smoothed label, where we weigh the sample; that is left out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nnxp
from nnxp import BinaryCrossentropy, CategoricalCrossentropy, Dense, SigmoidCrossentropy, SoftmaxCrossentropy
from nnxp.optimizers import SGD
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

X, Y = problem(dtype="float64")
WEIGHTS = [0.5, 2.0, 0.0]
IGNORED = np.where(np.arange(24) % 5 == 0, -1, Y)
OPTIONS: list[tuple[dict[str, Any], npt.NDArray[np.int64]]] = [
    ({"class_weight": WEIGHTS}, Y),
    ({"ignore_label": -1}, IGNORED),
    ({"ignore_label": 1}, Y),
    ({"class_weight": WEIGHTS, "ignore_label": -1}, IGNORED),
]
cases = pytest.mark.parametrize(("options", "y"), OPTIONS, ids=["weights", "ignored", "a class ignored", "both"])


def by_hand(options: dict[str, Any], y: Any) -> npt.NDArray[np.float64]:
    """Each sample's weight."""
    ignored, table = options.get("ignore_label"), options.get("class_weight", [1.0] * CLASSES)
    return np.array([0.0 if label == ignored else table[label] for label in y])


@cases
def test_against_pytorch(options: dict[str, Any], y: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the second opinion")
    z = torch.tensor(np.random.default_rng(0).standard_normal((24, CLASSES)), requires_grad=True)
    weight = options.get("class_weight")
    theirs = {
        "weight": None if weight is None else torch.tensor(weight, dtype=torch.float64),
        "ignore_index": options.get("ignore_label", -100),
    }
    expected = torch.nn.functional.cross_entropy(z, torch.tensor(y), **theirs)
    expected.backward()
    each = torch.nn.functional.cross_entropy(z, torch.tensor(y), reduction="none", **theirs)
    p = torch.softmax(z, 1).detach()
    for loss, predictions in ((SoftmaxCrossentropy(**options), z), (CategoricalCrossentropy(**options), p)):
        tolerance = 24 * 8 * np.finfo(float).eps  # a sum of 24 losses below 8
        assert abs(float(loss.calculate(predictions.detach(), y)) - float(expected.detach())) <= tolerance
        np.testing.assert_allclose(loss.forward(predictions.detach(), y), each.detach(), rtol=0, atol=tolerance)
    gradient = SoftmaxCrossentropy(**options).backward(z, y)
    np.testing.assert_allclose(gradient, z.grad, rtol=0, atol=24 * np.finfo(float).eps)


@cases
def test_they_are_sample_weights(backend: Target, options: dict[str, Any], y: Any) -> None:
    """A step, a fit of arrays and one of batches, a validation: as with weights that were computed by hand."""
    w = np.linspace(0.5, 1.5, 24)
    plain = np.where(by_hand(options, y) > 0, y, 0)
    for loss, truth in (("weighed", y), ("plain", plain)):
        kind = CategoricalCrossentropy(**options if loss == "weighed" else {})
        both = w if loss == "weighed" else w * by_hand(options, y)
        models = [classifier(backend.spec, loss=kind, optimizer=SGD(0.5), dtype="float64") for _ in range(3)]
        step = float(models[0].train_step(X, truth, both))
        models[1].fit(X, truth, batch_size=9, epochs=2, sample_weight=both, validation_data=(X, truth, both))
        models[2].fit([(X[:9], truth[:9], both[:9]), (X[9:], truth[9:], both[9:])])
        history = models[1].history
        got = [step, *history["loss"], *history["val_loss"], *models[2].history["loss"]]
        parameters = [values(model) for model in models]
        if loss == "weighed":
            expected, kept = got, parameters
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    for a, b in zip(parameters, kept, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_the_accuracy_counts_samples_and_not_class_weights(backend: Target) -> None:
    """But for those whose label is ignored."""
    loss = CategoricalCrossentropy(class_weight=[0.1, 5.0, 1.0], ignore_label=-1)
    model = classifier(backend.spec, loss=loss, optimizer=SGD(0.0), dtype="float64")
    right = np.asarray(model.predict(X)).argmax(axis=1) == IGNORED
    expected = right[IGNORED >= 0].mean()
    assert 0 < expected < 1
    model.fit(X, IGNORED, batch_size=24, validation_data=[(X[:7], IGNORED[:7]), (X[7:], IGNORED[7:])])
    reported = model.evaluate(X, IGNORED)["accuracy"], *model.history["accuracy"], *model.history["val_accuracy"]
    assert reported == pytest.approx((expected,) * 3, rel=1e-12)


def test_weights_of_shares(backend: Target) -> None:
    """One-hot rows weigh what their indices do."""
    loss = SoftmaxCrossentropy(class_weight=WEIGHTS, backend=backend.spec, dtype="float64")
    z, rows = np.random.default_rng(1).standard_normal((24, CLASSES)), np.eye(CLASSES)[Y]
    assert float(loss.calculate(z, rows)) == pytest.approx(float(loss.calculate(z, Y)), rel=1e-14)
    mixed = 0.25 * rows + 0.75 * np.eye(CLASSES)[(Y + 1) % CLASSES]
    w = mixed @ WEIGHTS
    plain = SoftmaxCrossentropy(backend=backend.spec, dtype="float64")
    assert float(loss.calculate(z, mixed)) == pytest.approx(float(plain.calculate(z, mixed, w)), rel=1e-14)


@pytest.mark.parametrize("kind", [SigmoidCrossentropy, BinaryCrossentropy])
def test_binary(backend: Target, kind: Any) -> None:
    """(1 - y) w₀ + y w₁, also in a model, where the pair stands for the loss."""
    p, y = np.linspace(0.1, 0.9, 24)[:, None], (np.arange(24) % 4 == 0).astype(float)
    w = np.where(y == 1, 3.0, 0.5)
    args = {"backend": backend.spec, "dtype": "float64"}
    weighed, plain = kind(class_weight=[0.5, 3.0], **args), kind(**args)
    assert float(weighed.calculate(p, y)) == pytest.approx(float(plain.calculate(p, y, w)), rel=1e-14)
    ends = ["sigmoid"] if kind is BinaryCrossentropy else []
    losses = []
    for loss, weights in ((kind(class_weight=[0.5, 3.0]), None), (kind(), w)):
        model = nnxp.Sequential([Dense(5, 1), *ends], loss, SGD(0.1), seed=0, **args)
        losses.append([float(model.train_step(X, y, weights)), *model.fit(X, y, 2, 7, sample_weight=weights)["loss"]])
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", IGNORED)
    on_disk = np.load(tmp_path / "y.npy", mmap_mode="r")
    models = [classifier("numpy", loss=CategoricalCrossentropy(**OPTIONS[3][0]), dtype="float64") for _ in range(2)]
    for model, y in zip(models, (IGNORED, on_disk), strict=True):
        model.fit(X, y, epochs=2, batch_size=7)
    np.testing.assert_array_equal(values(models[0]), values(models[1]))
    assert models[0].history["accuracy"] == models[1].history["accuracy"]


def test_they_are_saved_and_may_be_changed(tmp_path: Path) -> None:
    model = classifier("numpy", loss=CategoricalCrossentropy(class_weight=WEIGHTS, ignore_label=-1), dtype="float64")
    model.save(tmp_path / "model.safetensors")
    loaded = nnxp.load(tmp_path / "model.safetensors")
    assert loaded.evaluate(X, IGNORED) == model.evaluate(X, IGNORED)
    before = model.evaluate(X, Y)["loss"]
    model.loss.class_weight = None  # type: ignore[union-attr]
    assert model.evaluate(X, Y)["loss"] == classifier("numpy", dtype="float64").evaluate(X, Y)["loss"] != before


def test_one_gradient_check_of_all(backend: Target) -> None:
    loss = SoftmaxCrossentropy(class_weight=[0.5, 2.0, 1.0], label_smoothing=0.1, dtype="float64", backend=backend.spec)
    z, h = np.random.default_rng(2).standard_normal((4, CLASSES)), 1e-5
    gradient, y = backend.to_numpy(loss.backward(z, Y[:4])), Y[:4]
    for i, j in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[i, j], down[i, j] = z[i, j] + h, z[i, j] - h
        difference = (float(loss.calculate(up, y)) - float(loss.calculate(down, y))) / (2 * h)
        assert abs(gradient[i, j] - difference) < 1e-9  # h² times a third derivative below 1, and 2⁻⁵² / h


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SoftmaxCrossentropy(class_weight=[1.0, -1.0]), "got class_weight=-1.0, expected a number from 0 up"),
        (lambda: SoftmaxCrossentropy(class_weight={0: 1.0}), "got class_weight={0: 1.0}, expected a list of numbers"),
        (lambda: SoftmaxCrossentropy(class_weight="balanced"), "got class_weight='balanced', expected a list of numb"),
        (lambda: SoftmaxCrossentropy(class_weight=[0.0, 0.0]), "expected some above 0: nothing would be learned"),
        (lambda: BinaryCrossentropy(class_weight=[1.0, 1.0, 1.0]), "expected 2 numbers, one for each class"),
        (
            lambda: classifier("numpy", loss=CategoricalCrossentropy(class_weight=[1.0, 1.0])).fit(X, Y),
            "expected 3 num",
        ),
        (lambda: classifier("numpy", loss=CategoricalCrossentropy(ignore_label=-1)).fit(X, Y - 2), "labels from -2 to"),
        (
            lambda: classifier("numpy", loss=CategoricalCrossentropy(ignore_label=-1)).fit(X, np.full(24, -1)),
            "got samples that all weigh 0 by their labels",
        ),
        (
            lambda: SoftmaxCrossentropy(class_weight=[0.0, 1.0]).calculate([[0.0, 1.0]], [0]),
            "all weigh 0 by their labels, expected some above 0",
        ),
        (
            lambda: BinaryCrossentropy(class_weight=[1.0, 2.0]).calculate([[0.5, 0.5]], [[0.0, 1.0]]),
            "got class_weight with 2 yes-or-no outputs, expected one output",
        ),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
