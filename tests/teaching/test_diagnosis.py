"""The diagnosis: each planted fault is named, a healthy training is left alone, and so is the model."""

import copy
import logging
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.teaching.diagnosis.diagnosing import FAULTS, checked, evidence_of
from nnxp.teaching.diagnosis.reachable import RIDGES, _kernel_ridge, reachable
from nnxp.teaching.diagnosis.sampling import ROWS, positions
from nnxp.teaching.diagnosis.truth import skill
from tests.helpers.matrix import Target
from tests.teaching import faulty
from tests.teaching.faulty import HEALTHY, OF_NUMBERS, PLANTED, Training, changed, told


def test_every_fault_is_planted() -> None:
    assert {*PLANTED} == {fault.name for fault in FAULTS} and len(FAULTS) >= 20


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_named(name: str) -> None:
    found = told(PLANTED[name])
    finding = next(finding for finding in found if finding.name == name)
    assert found.index(finding) < 2 or name == "under-fitting"
    assert str(finding) == f"{name}: {finding.shows}. {finding.fix}."
    assert any(digit in finding.shows for digit in "0123456789") or name in ("loss not finite", "one label")


@pytest.mark.parametrize("training", [HEALTHY, OF_NUMBERS], ids=["classes", "numbers"])
@pytest.mark.parametrize("is_trained", [False, True], ids=["new", "trained"])
def test_a_healthy_training_is_left_alone(training: Training, is_trained: bool) -> None:
    found = told(replace(training, epochs=training.epochs * is_trained))
    assert [*found] == []
    assert str(found).startswith("No fault was found.")
    assert any("not trained" in note for note in found.notes) == (not is_trained)


def test_the_most_serious_comes_first() -> None:
    """What makes the others worthless, in the order of the table, whatever else is there."""
    seconds = faulty.X + np.array([0.0, 1e8, 0.0, 0.0])
    names = [finding.name for finding in told(changed(X=seconds, y=np.full(len(seconds), 2), epochs=0))]
    assert names[:3] == ["one label", "float32 resolution", "inputs not scaled"]
    order = [fault.name for fault in FAULTS]
    assert sorted(names, key=order.index) == names


def state_of(model: nnxp.Sequential) -> list[Any]:
    slots = model.optimizer.saved_state(model.store)
    arrays = [model.store.values, model.store.gradients, *slots.values()]
    numbers = (model.epoch, model.step, model.optimizer.progress(), copy.deepcopy(model.history), model.seed)
    return [*(np.array(a) for a in arrays), *numbers]


def test_the_model_stays_as_it_is() -> None:
    """Weights, gradients, slots, counts, the plan and its buffers; and chance: it trains on as if nobody had looked."""
    training = changed(dropout=0.2, optimizer=lambda: nnxp.Adam(0.003, schedule="cosine"), epochs=2)
    x, y, held_out = training.parts
    model, alone = training.trained(), training.trained()
    before, plan = state_of(model), model.training
    buffers, output = plan.plan, [vars(layer).get("output") for layer in model.layers]
    nnxp.diagnose(model, x, y, validation_data=held_out)
    for old, new in zip(before, state_of(model), strict=True):
        np.testing.assert_equal(old, new)
    assert model.training is plan and model.training.plan is buffers
    assert all(vars(layer).get("output") is a for layer, a in zip(model.layers, output, strict=True))
    for one in (model, alone):
        one.fit(x, y, 2)
    np.testing.assert_array_equal(model.store.values, alone.store.values)
    untouched = training.model()
    nnxp.diagnose(untouched, x, y)
    assert untouched._backend is None and untouched._store is None


def test_on_every_backend(backend: Target) -> None:
    """The same is found, of arrays of the library, which stay as they are; in float64 on NumPy too."""
    training = changed(X=faulty.X * [1.0, 100.0, 1.0, 1.0], activation="tanh", epochs=1)
    x, y, _ = training.parts
    on_host = evidence_of(training.trained(), x, y)
    for dtype in ["float32"] + ["float64"] * (backend.name == "numpy"):
        theirs, labels = backend.asarray(x, dtype=dtype), backend.asarray(y)
        model = training.model(backend=backend.spec, dtype=dtype)
        model.fit(theirs, labels, 1)
        held_out = backend.asarray(x[:50], dtype=dtype), backend.asarray(y[:50])
        found = evidence_of(model, theirs, labels, held_out)
        names = [finding.name for finding in checked(found)]
        assert names[:2] == ["validation rows in training", "inputs not scaled"]
        np.testing.assert_array_equal(backend.to_numpy(theirs), np.asarray(x, dtype=dtype))
        # A step on sums in other orders: 13 steps of Adam keep some 4 digits of float32's 7.
        for mine, other in zip(found.network.dense, on_host.network.dense, strict=True):
            assert (mine.gain, mine.signal) == pytest.approx((other.gain, other.signal), rel=1e-2)
        assert found.network.loss == pytest.approx(on_host.network.loss, rel=1e-2)


class Below(nnxp.MeanSquaredError):
    """Squares that count from -5, as a likelihood's logarithm may."""

    def losses(self, p: Any, y: Any) -> Any:
        return super().losses(p, y) - 5


class OfBatches(nnxp.MeanSquaredError):
    def losses(self, p: Any, y: Any) -> Any:
        if len(p) != 10:
            raise RuntimeError("ten rows, no others")
        return super().losses(p, y)


LOSSES: dict[str, Any] = {
    "binary": ("binary_crossentropy", "sigmoid", (faulty.CLASSES == 1).astype(np.float64)),
    "binary logits": (nnxp.SigmoidCrossentropy(), None, (faulty.CLASSES == 1).astype(np.float64)),
    "logits": (nnxp.SoftmaxCrossentropy(class_weight=[1, 2, 1]), None, np.eye(3)[faulty.CLASSES]),
    "several yes or no": ("binary_crossentropy", "sigmoid", (np.sign(faulty.X[:, :2]) + 1) / 2),
    "absolute": ("mean_absolute_error", None, faulty.NUMBERS),
    "counts": ("poisson", None, np.floor(np.exp(faulty.X[:, 0] + faulty.X[:, 1]))),
    "counts of dozens": ("poisson", None, np.floor(30 * np.exp((faulty.X[:, 0] + faulty.X[:, 1]) / 3))),
    "below 0": (Below(), None, faulty.NUMBERS),
    "two numbers": ("huber", None, faulty.X[:, :2] ** 2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_kind_of_loss(name: str) -> None:
    """A training that has learned has no fault, one that has not is worse than the best constant; whose loss is below
    that of constants beside it."""
    loss, last, y = LOSSES[name]
    width = y.shape[1] if y.ndim > 1 else 1
    layers = [nnxp.Dense(4, 32), "relu", nnxp.Dense(32, 32), "relu", nnxp.Dense(32, width), *([last] if last else [])]
    model = nnxp.Sequential(layers, loss, nnxp.Adam(0.01), seed=0)
    before = evidence_of(model, faulty.X, y)
    model.fit(faulty.X, y, 40)
    after = evidence_of(model, faulty.X, y)
    assert after.network.skill > 0.5 > before.network.skill and after.network.loss < after.network.baseline
    assert [*checked(after)] == []


def test_members_are_one_network_and_their_mean() -> None:
    x, y, held_out = HEALTHY.parts
    model = HEALTHY.model(members=3)
    model.fit(x, y, 20, validation_data=held_out)
    found = nnxp.diagnose(model, x, y, validation_data=held_out)
    assert [*found] == [] and len(found.notes) == 1
    assert found.notes[0].startswith("Of 3 members, the first was looked at. Where clip_norm is advised, clip_value is")
    looked_at = evidence_of(model, x, y, held_out)
    assert looked_at.validation is not None
    assert looked_at.validation.loss == pytest.approx(model.history["val_loss"][-1], rel=1e-5)


def test_few_of_many_rows() -> None:
    """1,000 rows at most, in order, none twice, spread over all; classes that take turns are seen, all of them."""
    for n in (ROWS, ROWS + 1, 2 * ROWS - 1, 12_345):
        index = positions(n, ROWS)
        assert len(index) == ROWS and (np.diff(index) > 0).all() and index[0] < n / 500 and index[-1] >= n - n / 500
    X = np.random.default_rng(0).normal(size=(3 * ROWS, 2))
    model = nnxp.Sequential([nnxp.Dense(2, 3), "softmax"], "categorical_crossentropy", seed=0)
    found = evidence_of(model, X, np.arange(len(X)) % 3)
    assert found.data.rows == ROWS and found.data.counts is not None and found.data.counts.min() > ROWS / 4


def test_what_can_be_learned() -> None:
    """Leaving a row out by r / (1 - H) is leaving it out and solving again; noise has nothing, a surface nearly all."""
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    Y = np.sin(X[:, :1]) + 0.1 * noise
    Z = np.column_stack([X, np.ones(40)]) / 2
    lengths = np.linalg.norm(Z, axis=1)
    angle = np.arccos(np.clip(Z @ Z.T / np.outer(lengths, lengths), -1, 1))
    K = np.outer(lengths, lengths) / np.pi * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    left_out = []
    for ridge in RIDGES * np.trace(K) / 40:
        predicted = np.empty_like(Y)
        for i in range(40):
            others = np.arange(40) != i
            coefficients = np.linalg.solve(K[np.ix_(others, others)] + ridge * np.eye(39), Y[others])
            predicted[i] = K[i, others] @ coefficients
        left_out.append(skill(Y, predicted))
    assert _kernel_ridge(X, Y) == pytest.approx(max(left_out), rel=1e-6)
    X = rng.normal(size=(300, 3))
    assert reachable(X, np.sin(X[:, :1])) > 0.9 and reachable(X, rng.normal(size=(300, 1))) < 0.02


def test_named_by_the_table_and_the_classes() -> None:
    training = PLANTED["class imbalance"]
    model = training.trained()
    model.classes = ["low", "middle", "high"]
    assert any("class 'middle' has" in str(finding) for finding in told(training, model))


def test_a_callback_tells_of_each_fault_once(caplog: pytest.LogCaptureFixture) -> None:
    training = changed(X=faulty.X * 100)
    x, y, held_out = training.parts
    watching = nnxp.Diagnosing(x, y, validation_data=held_out)
    with caplog.at_level(logging.WARNING, logger="nnxp"):
        training.model().fit(x, y, 5, validation_data=held_out, callbacks=[watching])
    told_of = [record.getMessage().split(":")[1].strip() for record in caplog.records]
    assert told_of[0] == "inputs not scaled" and len({*told_of}) == len(told_of)
    assert caplog.records[0].getMessage().startswith("epoch 0:")
    assert watching.diagnosis[0].name == "inputs not scaled"


def test_a_callback_that_fails_ends_no_training(caplog: pytest.LogCaptureFixture) -> None:
    x, y, _ = HEALTHY.parts
    model = HEALTHY.model()
    with caplog.at_level(logging.WARNING, logger="nnxp"):
        model.fit(x, y, 1, callbacks=[nnxp.Diagnosing(x, y[:-1])])
    assert model.epoch == 1 and "no diagnosis: got 299 labels for 300 samples" in caplog.text
    model = nnxp.Sequential([nnxp.Dense(4, 1)], OfBatches(), seed=0)
    with caplog.at_level(logging.WARNING, logger="nnxp"):
        model.fit(x, x[:, 0], 1, 10, callbacks=[nnxp.Diagnosing(x, x[:, 0])])
    assert model.epoch == 1 and "no diagnosis: ten rows, no others" in caplog.text


def test_a_small_penalty_is_not_blamed() -> None:
    """Of unscaled inputs a layer may make less by itself."""
    x, y, _ = HEALTHY.parts
    for l2, is_blamed in ((1e-6, False), (1.0, True)):
        layers = [nnxp.Dense(x.shape[1], 32), "relu", nnxp.Dense(32, 3), "softmax"]
        model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.SGD(1e-6), seed=0)
        for dense in (model.layers[0], model.layers[2]):
            dense.l2 = l2
            dense.weights = np.asarray(dense.weights) * 0.1
        model.fit(x, y, epochs=1)
        names = {finding.name for finding in nnxp.diagnose(model, x, y)}
        assert ("weight decay too strong" in names) == is_blamed


def test_what_is_refused() -> None:
    x, y, _ = HEALTHY.parts
    with pytest.raises(TypeError, match="expected a Sequential with a loss: of a fitted estimator, its model_, cl"):
        nnxp.diagnose("model", x, y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="without a loss"):
        nnxp.diagnose(nnxp.Sequential([nnxp.Dense(4, 3), "softmax"]), x, y)
    with pytest.raises(ValueError, match="got 299 labels for 300 samples"):
        nnxp.diagnose(HEALTHY.model(), x, y[:-1])
    with pytest.raises(ValueError, match="no samples"):
        nnxp.diagnose(HEALTHY.model(), x[:0], y[:0])
    with pytest.raises(ValueError, match="got no y"):
        nnxp.diagnose(HEALTHY.model(), [(x, y)], None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got validation_data of list"):
        nnxp.diagnose(HEALTHY.model(), x, y, validation_data=[(x, y)])
    hole = x.copy()
    hole[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity, first at row 3"):
        nnxp.diagnose(HEALTHY.model(), hole, y)
    with pytest.raises(ValueError, match="validation X with NaN or infinity, first at row 3"):
        nnxp.diagnose(HEALTHY.model(), x, y, validation_data=(hole, y))
    many = np.concatenate([x] * 9 + [hole])  # of which not all are looked at
    many[-len(x) :, 0] = np.nan
    with pytest.raises(ValueError, match=f"first at row {9 * len(x)}, column 0"):
        nnxp.diagnose(HEALTHY.model(), many, np.tile(y, 10))
    coded = nnxp.Sequential([nnxp.Embedding(1, [3], 2), nnxp.Dense(2, 3), "softmax"], "categorical_crossentropy")
    with pytest.raises(ValueError, match="got X with 7 as a code at row 0"):
        nnxp.diagnose(coded, np.full((len(y), 1), 7.0), y)


def test_rows_are_the_same_in_any_dtype_and_layout() -> None:
    x, y, _ = HEALTHY.parts
    model = HEALTHY.model()
    for again in ((x.astype(np.float32), y), (x, np.eye(3)[y])):
        assert evidence_of(model, x, y, again).data.twins == 1
    assert evidence_of(model, x, y, (x, (y + 1) % 3)).data.twins == 0


@pytest.mark.parametrize("ignored", [-1, 255])
def test_ignored_labels_are_not_looked_at(ignored: int) -> None:
    x, y, _ = HEALTHY.parts
    loss = nnxp.CategoricalCrossentropy(ignore_label=ignored, class_weight=[1, 2, 1])
    model = nnxp.Sequential([nnxp.Dense(4, 3), "softmax"], loss, seed=0)
    some = np.where(np.arange(len(y)) % 3 == 0, ignored, y)
    found, alone = (evidence_of(model, *rows) for rows in ((x, some), (x[some != ignored], y[some != ignored])))
    assert found.data.total == len(x) and (found.data.rows, found.network.loss) == (200, alone.network.loss)
    np.testing.assert_array_equal(found.data.counts, alone.data.counts)
    with pytest.raises(ValueError, match=f"all the ignored one, {ignored}"):
        nnxp.diagnose(model, x, np.full(len(x), ignored))


def test_nothing_is_said_that_its_number_does_not_show() -> None:
    x, y, _ = HEALTHY.parts
    model = OF_NUMBERS.model()
    model.fit(x[:2], [[1.0], [2.0]], 3)  # nothing follows from two rows, and nothing is learned yet
    assert not {"under-fitting", "loss stuck"} & {finding.name for finding in nnxp.diagnose(model, x[:2], [1.0, 2.0])}
    model = HEALTHY.model()
    model.fit(100 * x, y, 1)  # the first epoch's loss is of weights that were not trained
    assert model.history["loss"][0] > np.log(3)
    assert "loss stuck" not in {finding.name for finding in nnxp.diagnose(model, 100 * x, y)}
    assert "the loss is inf" in str(nnxp.diagnose(OF_NUMBERS.model(), x, 1e30 * x[:, :1]))
    model = OF_NUMBERS.model(dtype="float64")
    model.loss = Below()
    model.fit(x, OF_NUMBERS.y[:300], 30, validation_data=(x, OF_NUMBERS.y[:300]))
    found = nnxp.diagnose(model, x, OF_NUMBERS.y[:300], validation_data=(x, OF_NUMBERS.y[:300]))
    assert "over-fitting" not in {finding.name for finding in found}
    layers = [nnxp.Dense(2, 100, l2=1e-7, initializer="glorot_uniform"), "tanh", nnxp.Dense(100, 1)]
    model = nnxp.Sequential(layers, "mean_squared_error", nnxp.Adam(1e-4), seed=0)
    model.fit(x[:, :2], OF_NUMBERS.y[:300], 1)  # √(2 · 2 / 102) = 0.2 is what it began with, and no decay's doing
    found = nnxp.diagnose(model, x[:, :2], OF_NUMBERS.y[:300])
    assert "weight decay too strong" not in {finding.name for finding in found}


def test_hardly_any_rows() -> None:
    """One row, two rows, one column: no number is divided by 0, and nothing is said that rests on so little."""
    for n, width in ((1, 3), (2, 1), (3, 2)):
        model = nnxp.Sequential([nnxp.Dense(width, 4), "relu", nnxp.Dense(4, 1)], "mean_squared_error", seed=0)
        X, y = np.arange(n * width, dtype=np.float64).reshape(n, width), np.arange(n, dtype=np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = nnxp.diagnose(model, X, y, validation_data=(X, y))
        assert {finding.name for finding in found} <= {"one label", "validation rows in training"}


def test_equal_cells_of_sorted_rows_are_no_leak() -> None:
    """A column of three values says nothing of a label in whose order the rows stand."""
    order = np.argsort(faulty.CLASSES, kind="stable")
    X, y = faulty.X[order], faulty.CLASSES[order]
    X[:, 2] = np.random.default_rng(0).integers(0, 3, len(X))
    model = nnxp.Sequential([nnxp.Dense(4, 3), "softmax"], "categorical_crossentropy", seed=0)
    assert evidence_of(model, X, y).data.leak[1] < 0.5


def test_rows_that_are_there_twice_are_no_leak() -> None:
    """Each row's twin has its label and all of its cells; a column that is the label is one all the same."""
    again = np.arange(200) // 2
    X, y, model = faulty.X[again], faulty.NUMBERS[again], OF_NUMBERS.model()
    assert evidence_of(model, X, y).data.leak[1] < 0.5
    assert evidence_of(model, np.column_stack([X[:, :3], y]), y).data.leak == (3, pytest.approx(1, abs=0.01))


def test_validation_rows_that_the_training_did_not_follow() -> None:
    """Their loss is no rise of the others'."""
    x, y, (x_val, y_val) = HEALTHY.parts
    model = HEALTHY.model()
    model.fit(x, y, 20, validation_split=0.2)
    found = nnxp.diagnose(model, x, y, validation_data=(x_val, (y_val + 1) % 3))
    assert "over-fitting" not in {finding.name for finding in found}
    assert "Over-fitting was not looked at" in str(found)
    assert f"{model.history['val_loss'][-1]:.4g}, is of other" in str(found)


def test_a_batch_is_as_large_as_the_training_took_it() -> None:
    """Of 64 rows 32 are held out, the others one batch of 32, the default: not one of 64."""
    model = HEALTHY.model()
    model.fit(faulty.X[:64], faulty.CLASSES[:64], 20, validation_split=0.5)
    found = evidence_of(model, faulty.X[:64], faulty.CLASSES[:64])
    assert found.batch == 32 and "batch too large" not in {finding.name for finding in checked(found)}


def test_the_validation_loss_is_that_of_the_history() -> None:
    x_val = faulty.X[300:]
    model = nnxp.Sequential([nnxp.Dense(4, 1), "sigmoid"], "binary_crossentropy", nnxp.SGD(0.0), seed=0)
    model.layers[0].biases = [[30.0]]  # so sure that 1 - p is 0 in float32, and the loss of 0 is 30, as that of logits
    y_val = np.arange(len(x_val)) % 2
    model.fit(x_val, y_val, 1, validation_data=(x_val, y_val))
    seen = evidence_of(model, x_val, y_val, (x_val, y_val)).validation
    assert seen is not None and seen.loss == pytest.approx(model.history["val_loss"][0], rel=1e-5)


def test_rows_are_sorted_where_neighbours_are_alike() -> None:
    """1 in order; 0, give or take 3/√n, by chance."""
    for y, expected in ((np.sort(faulty.NUMBERS), 1.0), (faulty.NUMBERS, 0.0)):
        found = evidence_of(OF_NUMBERS.model(), faulty.X, y).data
        assert found.sortedness == pytest.approx(expected, abs=3 / len(y) ** 0.5)
