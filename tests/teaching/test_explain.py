"""The worked step: its numbers, which are those of the library, of the literature, and of a transcription."""

import copy
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.teaching.example import two_two_two
from nnxp.teaching.expressions import evaluated
from nnxp.teaching.facts import SHOWN, Facts, Matrix, Step
from nnxp.teaching.notation import Style
from tests.teaching import examples

EPS = float(np.finfo(np.float64).eps)


def works_are_right(facts: Facts) -> int:
    """The formulas, with their numbers, give the values that the library computed; how many there are.

    Sums of at most 8 numbers of size up to 10 and functions that keep relative errors: 1000 roundings are plenty.
    """
    works = [work for step in facts.steps for work in step.works]
    for work in works:
        got = evaluated(work.numbers, {})
        assert got == pytest.approx(work.value, rel=1000 * EPS, abs=1000 * EPS), str(work.name)
    return len(works)


def matrices(facts: Facts, title: str) -> dict[str, Any]:
    """Those of the step whose title begins so, by name."""
    step = next(step for step in facts.steps if step.title.startswith(title))
    return {matrix.name: matrix.values for matrix in step.matrices}


def unwritten(facts: Facts) -> list[str]:
    return [step.title for step in facts.steps if any("not written out" in note for note in step.notes)]


def test_the_two_two_two_example() -> None:
    step = nnxp.explain()
    by_name = {(g.layer, g.name): g for g in step.gradients}
    assert step.loss == pytest.approx(0.298371108760, abs=5e-13)
    assert by_name[2, "weights"].values[0, 0] == pytest.approx(0.082167040564, abs=5e-13)  # w₅
    assert step.loss_after == pytest.approx(0.280471446791, abs=5e-13)
    model, X, y = two_two_two()
    model.optimizer = nnxp.SGD(0.5, factors={"biases": 0})
    assert nnxp.explain(model, X, y).loss_after == pytest.approx(0.291027773694, abs=5e-13)


def test_every_number_of_the_example_by_hand() -> None:
    """The chain rule, written out with NumPy for these four layers alone."""
    model, x, t = two_two_two()
    W1, W2 = np.array([[0.15, 0.25], [0.2, 0.3]]), np.array([[0.4, 0.5], [0.45, 0.55]])
    z1 = x @ W1 + 0.35
    a1 = 1 / (1 + np.exp(-z1))
    z2 = a1 @ W2 + 0.6
    a2 = 1 / (1 + np.exp(-z2))
    da2 = a2 - t
    dz2 = da2 * a2 * (1 - a2)
    dW2, da1 = np.outer(a1, dz2), dz2 @ W2.T
    dz1 = da1 * a1 * (1 - a1)
    dW1 = np.outer(x, dz1)
    facts = nnxp.explain(model, x, t).facts
    expected = {
        "Layer 1, Dense(2, 2): forward": {"x": x, "W": W1, "y": z1}, "Layer 2, Sigmoid: forward": {"x": z1, "y": a1},
        "Layer 3, Dense(2, 2): forward": {"x": a1, "W": W2, "y": z2}, "Layer 4, Sigmoid: forward": {"x": z2, "y": a2},
        "Loss, MeanSquaredError: forward": {"p": a2, "y": t, "L": [[np.sum((a2 - t) ** 2) / 2]]},
        "Loss, MeanSquaredError: backward": {"dp": da2},
        "Layer 4, Sigmoid: backward": {"dy": da2, "f′": a2 * (1 - a2), "dx": dz2},
        "Layer 3, Dense(2, 2): backward": {"dy": dz2, "x": a1, "W": W2, "dW": dW2, "db": dz2, "dx": da1},
        "Layer 2, Sigmoid: backward": {"dy": da1, "f′": a1 * (1 - a1), "dx": dz1},
        "Layer 1, Dense(2, 2): backward": {"dy": dz1, "dW": dW1, "db": dz1},
        "Layer 1, W: the update by SGD": {"w": W1, "g": dW1, "w′": W1 - 0.5 * dW1},
        "Layer 3, b: the update by SGD": {"w": [[0.6, 0.6]], "w′": 0.6 - 0.5 * dz2},
    }  # fmt: skip
    for title, values in expected.items():
        got = matrices(facts, title)
        for name, value in values.items():
            np.testing.assert_allclose(got[name], value, rtol=20 * EPS, atol=20 * EPS, err_msg=f"{title} {name}")
    assert works_are_right(facts) == sum(len(step.works) for step in facts.steps) > 40
    assert [step.phase for step in facts.steps[4:6]] == ["loss", "backward"] and facts.steps[-1].phase == "after"


def test_the_step_is_the_one_that_trains_and_the_model_stays() -> None:
    for optimizer in examples.OPTIMIZERS:
        model, X, y = examples.of_optimizer(copy.deepcopy(optimizer))
        model.fit(X, y, epochs=2, batch_size=3)  # so that it has a state
        twin, before = copy.deepcopy(model), model.store.values.copy()
        step = nnxp.explain(model, X, y)
        assert np.array_equal(model.store.values, before) and model.optimizer.iterations == 2
        assert step.loss == pytest.approx(float(twin.train_step(X, y)), rel=20 * EPS)
        assert step.loss_after == pytest.approx(twin.evaluate(X, y)["loss"], rel=100 * EPS)
        updates = [s for s in step.facts.steps if s.phase == "update"]
        for update in updates:
            name = "weights" if ", W:" in update.title else "biases"
            after = {m.name: m.values for m in update.matrices}["w′"]
            np.testing.assert_allclose(after, getattr(twin.layers[update.layer or 0], name), rtol=100 * EPS)
        assert len(updates) == 4 and works_are_right(step.facts) > 40
        clips = optimizer.clip_norm is not None or optimizer.clip_value is not None
        assert any("clipping" in note for update in updates for note in update.notes) == clips


def test_adams_state_is_worked_out_by_its_equations() -> None:
    model, X, y = examples.of_optimizer(nnxp.Adam(0.1))
    facts = nnxp.explain(model, X, y).facts
    got = matrices(facts, "Layer 1, W: the update by Adam")
    assert not got["m"].any() and not got["c"].any()
    m, c = 0.1 * got["g"], 0.001 * got["g"] ** 2
    np.testing.assert_allclose(got["m′"], m, rtol=20 * EPS)
    np.testing.assert_allclose(got["c′"], c, rtol=100 * EPS)  # 1 - 0.999 has lost three digits
    moved = 0.1 * (m / (1 - 0.9)) / (np.sqrt(c / (1 - 0.999)) + 1e-7)
    np.testing.assert_allclose(got["w"] - got["w′"], moved, rtol=1e5 * EPS)
    step = next(step for step in facts.steps if "W: the update" in step.title)
    assert Style(9).write(step.works[2].formula) == "w₁₁ - lr / k₁ · m′₁₁ / (√(c′₁₁ / k₂) + ε)"
    assert "β₁ = 0.9, β₂ = 0.999" in step.notes[0] and [str(w.name) for w in step.works[:3]] == ["m′₁₁", "c′₁₁", "w′₁₁"]


def test_every_activation_and_loss_is_written_out() -> None:
    cases = [examples.of_activation(one) for one in examples.ACTIVATIONS]
    cases += [examples.of_loss(*one) for one in examples.LOSSES]
    for model, X, y in cases:
        step = nnxp.explain(model, X, y)
        assert unwritten(step.facts) == [], model
        assert works_are_right(step.facts) > 20
        for gradient in step.gradients:
            assert gradient.values.shape == gradient.differences.shape and gradient.error.max() < 1e-8, model


def test_other_layers_show_shapes_and_values_and_say_so() -> None:
    class Twice(nnxp.Layer):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return np.array([[2 * float(v) for v in row] for row in inputs])

        def backward(self, dvalues: Any) -> Any:
            return dvalues * 2

    layers = [
        nnxp.Dense(4, 3, l2=0.1), nnxp.BatchNorm(3), nnxp.Residual([nnxp.Dense(3, 3), "relu"]), nnxp.Dropout(0.5),
        Twice(), nnxp.Dense(3, 2, trainable=False),
    ]  # fmt: skip
    model = nnxp.Sequential(layers, "mean_squared_error", nnxp.Adam(), dtype="float64", seed=0)
    step = nnxp.explain(model, examples.X, examples.NUMBERS)
    # A layer that computes with floats, one with statistics and one with parts are no formulas of single numbers.
    kinds = {title.split(", ")[1].split(":")[0] for title in unwritten(step.facts)}
    assert kinds == {"BatchNorm", "Residual", "Twice"}
    assert any(
        "Residual is not written out here: it has layers of its own" in n for s in step.facts.steps for n in s.notes
    )
    assert {g.layer for g in step.gradients} == {0, 1, "2.layers.0", 5}
    assert all(g.error.max() < 1e-8 for g in step.gradients)
    assert works_are_right(step.facts)
    assert not any(s.phase == "update" and s.layer == 5 for s in step.facts.steps)  # which is frozen
    assert any("penalties" in note for s in step.facts.steps for note in s.notes)
    assert step.loss == pytest.approx(
        float(copy.deepcopy(model).train_step(examples.X, examples.NUMBERS)), rel=100 * EPS
    )


def test_float32_is_explained_in_its_own_numbers() -> None:
    layers = [nnxp.Dense(4, 10), "relu", nnxp.Dense(10, 3), "softmax"]
    model = nnxp.Sequential(layers, "categorical_crossentropy", nnxp.Adam(0.01), seed=0)
    step = nnxp.explain(model, examples.X, examples.CLASSES)
    twin = copy.deepcopy(model)
    assert step.loss == pytest.approx(float(twin.train_step(examples.X, examples.CLASSES)), rel=1e-6)
    assert step.facts.digits == 7 and 0 < max(g.error.max() for g in step.gradients) < 1e-6
    wide = next(s for s in step.facts.steps if s.title.startswith("Layer 3, Dense(10, 3): forward"))
    weights = wide.matrices[1]
    assert weights.remark == "the first 8 × 3 are shown" and len(weights.cells(7)) == SHOWN + 1
    assert wide.notes == ("Of each matrix 8 numbers are worked out.",) and len(wide.works) == 8


def test_an_optimizer_of_ones_own_is_run_once_and_not_written_out() -> None:
    class Halving(nnxp.Optimizer):
        def step(self, backend: Any, w: Any, g: Any, slots: Any, factors: Any) -> None:
            w *= 0.5

    model, X, y = examples.of_optimizer(Halving(0.1))
    facts = nnxp.explain(model, X, y).facts
    updates = [step for step in facts.steps if step.phase == "update"]
    assert len(updates) == 4 and not any(step.works for step in updates)
    for step in updates:
        values = {matrix.name: matrix.values for matrix in step.matrices}
        assert np.array_equal(values["w′"], 0.5 * values["w"]) and "none of nnxp's formulas" in step.notes[-1]


def test_parameters_of_one_and_of_three_dimensions_are_shown_as_matrices() -> None:
    class Scale(nnxp.Layer):
        parameters = ("scale",)

        def __init__(self) -> None:
            super().__init__()
            self.scale = [1.0, 2.0, 3.0, 4.0]

        def forward(self, inputs: Any, training: bool = False) -> Any:
            return inputs * self.scale

        def backward(self, dvalues: Any) -> Any:
            self.dscale = self.backend.xp.sum(dvalues * self.inputs, axis=0)
            return dvalues * self.scale

    layers = [Scale(), nnxp.PeriodicEmbedding(4, 3, 2), nnxp.Dense(12, 2)]
    model = nnxp.Sequential(layers, "mean_squared_error", nnxp.SGD(0.1), dtype="float64", seed=0)
    step = nnxp.explain(model, examples.X, examples.NUMBERS)
    scale = matrices(step.facts, "Layer 1, scale: the update by SGD")
    assert scale["w"].tolist() == [[1, 2, 3, 4]] and scale["w′"].shape == (1, 4)
    assert all(matrix.values.ndim == 2 for one in step.facts.steps for matrix in one.matrices)
    assert {gradient.values.ndim for gradient in step.gradients} == {1, 2, 3} and len(step.html()) > 1000


def test_another_library_gives_the_same_page() -> None:
    pages = []
    for backend in (examples.PLAIN, "array_api_strict"):
        layers = [nnxp.Dense(4, 3), "relu", nnxp.Dense(3, 2)]
        model = nnxp.Sequential(layers, "huber", nnxp.Adam(), backend=backend, dtype="float64", seed=1)
        pages.append(str(nnxp.explain(model, examples.X, examples.NUMBERS)).splitlines())
    first, second = pages
    same = [one == other for one, other in zip(first, second, strict=True)]  # but for the last digits of an error
    assert first[:40] == second[:40] and sum(same) > 0.9 * len(same)


def test_what_cannot_be_explained_says_what_can() -> None:
    model, X, y = examples.of_optimizer(nnxp.SGD(0.1))
    wrong: list[tuple[Any, str]] = [
        ((model, X), "got no y, expected explain"),
        ((model.layers, X, y), "expected a Sequential"),
        ((nnxp.Sequential([nnxp.Dense(4, 2)]), X, y), "without a loss"),
        ((nnxp.Sequential([nnxp.Dense(4, 2)], "huber", members=2), X, y), "member\\(0\\)"),
        ((nnxp.Sequential([nnxp.Dense(4, 2)], "huber", nnxp.LBFGS()), X, y), "LBFGS"),
        ((nnxp.Sequential([nnxp.Dense(4, 2000)], "huber"), X, y), "10,000 parameters, expected at most 5,000"),
        ((nnxp.Sequential([nnxp.Dense(4, 900)], "huber"), np.zeros((23, 4)), np.zeros((23, 900))), "at most 22"),
        ((model, X[:0], y[:0]), "no samples"),
        ((model, X * np.nan, y), "NaN or infinity, first at row 0"),
        ((model, X[:, :2], y), "expected 4, as the first layer takes"),
        ((model, X, y[:2]), "labels"),
    ]
    for arguments, match in wrong:
        with pytest.raises((ValueError, TypeError), match=match):
            nnxp.explain(*arguments)


def test_shapes_match_along_the_way() -> None:
    """Of a product's factors the inner dimensions are one, and what comes out has the outer ones."""
    step: Step = nnxp.explain(*examples.of_activation("tanh")).facts.steps[0]
    x, W, b, y = (matrix.dimensions for matrix in step.matrices)
    assert x == ("n", "d0") and W == ("d0", "d1") and b == ("1", "d1") and y == ("n", "d1")
    assert [matrix.shape for matrix in step.matrices] == ["n=3 × d0=4", "d0=4 × d1=3", "1 × d1=3", "n=3 × d1=3"]
    assert Matrix("a", np.zeros((9, 1)), ("n", "1")).cells(9)[-1] == ["…"]
