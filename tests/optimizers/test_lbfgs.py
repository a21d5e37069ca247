"""L-BFGS over the flat store: against SciPy on the same loss, and what it leaves behind however it ends."""

import builtins
import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp import Dense, Sequential
from nnxp.optimizers import OPTIMIZERS, get_optimizer
from tests.helpers.matrix import Target
from tests.helpers.models import CLASSES, classifier, problem, values

optimize = pytest.importorskip("scipy.optimize", reason='SciPy is not installed: pip install "nnxp[sklearn]"')


def model_of(spec: Any = "numpy", dtype: str = "float64", **options: Any) -> Sequential:
    layers = [Dense(5, 8, l2=1e-2), "tanh", Dense(8, CLASSES, l2=1e-2), "softmax"]
    rule = nnxp.LBFGS(**options)
    return Sequential(layers, "categorical_crossentropy", rule, backend=spec, dtype=dtype, seed=1)


def over_all(model: Sequential) -> Callable[[], float]:
    """The loss of all data with penalties, by the layers one by one."""
    X, y = problem()

    def evaluate() -> float:
        assert model.loss is not None
        loss = model.loss.calculate(model.forward(X), y)
        model.backward(y)
        return float(loss) + sum(float(penalty) for penalty in model.penalties())

    return evaluate


def minimise(model: Sequential, iterations: int = 50, after: Callable[[float], bool] | None = None) -> list[float]:
    """The losses after each iteration."""
    losses: list[float] = []

    def kept(loss: float) -> bool:
        losses.append(loss)
        return after is not None and after(loss)

    assert isinstance(model.optimizer, nnxp.LBFGS)
    model.optimizer.minimise(model.store, over_all(model), iterations, kept)
    return losses


def test_is_scipy_s_on_the_flat_store(backend: Target) -> None:
    """The same 30 iterates as a call by hand on a NumPy model."""
    twin = model_of()
    evaluate, losses = over_all(twin), []

    def objective(x: Any) -> Any:
        twin.store.values[...] = x
        return evaluate(), twin.store.gradients.copy()

    expected = optimize.minimize(
        objective,
        twin.store.values.copy(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: losses.append(intermediate_result.fun),
        options={"maxiter": 30, "maxcor": 4, "gtol": 1e-6},
    )
    model = model_of(backend.spec, history=4, tol=1e-6)
    got = minimise(model, 30)
    assert got == pytest.approx(losses, rel=1e-9) and len(got) == 30 and got[-1] < got[0] / 2
    # 30 iterations magnify roundings in which the backends differ
    np.testing.assert_allclose(values(model), expected.x, rtol=1e-5, atol=1e-7)
    result = model.optimizer.result  # type: ignore[attr-defined]
    assert (result.iterations, result.evaluations, result.converged) == (30, expected.nfev, False)
    assert "LIMIT" in result.message and result.loss == pytest.approx(expected.fun, rel=1e-9)
    assert model.optimizer.iterations == 30
    backend.assert_close(model.store.values, values(model))


def test_converges_and_says_so() -> None:
    """A quadratic bowl has its minimum at the least squares solution."""
    X, _ = problem(dtype="float64")
    y = X @ np.arange(10.0).reshape(5, 2) + 0.1 * np.random.default_rng(0).standard_normal((len(X), 2))
    model = Sequential([Dense(5, 2)], "mean_squared_error", nnxp.LBFGS(tol=1e-9), dtype="float64", seed=0)
    rule, evaluations = model.optimizer, 0

    def evaluate() -> float:
        nonlocal evaluations
        evaluations += 1
        loss = model.loss.calculate(model.forward(X), y)  # type: ignore[union-attr]
        model.backward(y)
        return float(loss)

    rule.minimise(model.store, evaluate, 200, lambda loss: False)  # type: ignore[attr-defined]
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
    np.testing.assert_allclose(model.layers[0].weights, solution[:-1], rtol=1e-4)
    result = rule.result  # type: ignore[attr-defined]
    assert result.converged and result.evaluations == evaluations and "CONVERGENCE" in result.message
    assert max(np.abs(np.asarray(model.store.gradients))) < 1e-3


def test_after_sees_the_weights_that_it_is_told_of_and_ends_it() -> None:
    model = model_of()
    evaluate, seen = over_all(model), list[float]()

    def after(loss: float) -> bool:
        assert evaluate() == loss
        seen.append(loss)
        return len(seen) == 3

    assert minimise(model, 50, after) == seen and len(seen) == 3
    result = model.optimizer.result  # type: ignore[attr-defined]
    assert not result.converged and "StopIteration" in result.message and result.loss == min(seen) == evaluate()


@pytest.mark.parametrize("where", ["evaluate", "after"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_best_weights(where: str, kind: type[BaseException]) -> None:
    model = model_of()
    minimise(model, 2)
    evaluate, met, calls = over_all(model), dict[float, Any](), 0

    def counted() -> float:
        nonlocal calls
        calls += 1
        if where == "evaluate" and calls == 7:
            model.store.values[...] = 1e6
            raise kind("stop")
        loss = evaluate()
        met[loss] = values(model)
        return loss

    def after(loss: float) -> bool:
        if where == "after" and calls > 5:
            raise kind("stop")
        return False

    with pytest.raises(kind, match="stop"):
        model.optimizer.minimise(model.store, counted, 50, after)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(values(model), met[min(met)])
    assert len(met) > 5 and model.optimizer.result is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_not_the_best(bad: float) -> None:
    model = model_of()
    evaluate, calls = over_all(model), 0
    start = values(model)

    def broken() -> float:
        nonlocal calls
        calls += 1
        loss = evaluate()
        return loss if calls <= 4 else bad

    model.optimizer.minimise(model.store, broken, 50, lambda loss: False)  # type: ignore[attr-defined]
    result = model.optimizer.result  # type: ignore[attr-defined]
    assert math.isfinite(result.loss) and result.loss == evaluate()
    assert not np.array_equal(values(model), start)


def test_a_float32_model_learns_and_stays_float32(backend: Target) -> None:
    """Its loss is rounded, so that the line search may end early: at the best weights, and with a message."""
    model = model_of(backend.spec, "float32", tol=0.0)
    losses = minimise(model, 300)
    reached = model_of()
    minimise(reached, 300)
    best = reached.optimizer.result.loss  # type: ignore[attr-defined]
    result = model.optimizer.result  # type: ignore[attr-defined]
    assert result.message and losses[0] > result.loss
    assert result.loss == pytest.approx(best, rel=1e-3)
    assert result.loss == over_all(model)()
    backend.assert_close(model.store.values, values(model).astype(np.float32))


def test_what_is_not_trained_stays() -> None:
    layers = [Dense(5, 4), nnxp.BatchNorm(4), Dense(4, CLASSES), "softmax"]
    model = Sequential(layers, "categorical_crossentropy", nnxp.LBFGS(), dtype="float64", backend="numpy", seed=0)
    assert model.store.trained < model.store.values.shape[0]
    state = model.store.values[model.store.trained :].copy()
    losses = minimise(model, 5)
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(model.store.values[model.store.trained :], state)


def test_has_no_step_for_a_batch() -> None:
    model = classifier(optimizer="lbfgs")
    for step in (
        lambda: model.train_step(*problem()),
        lambda: model.optimizer.update_params(model),
        lambda: model.optimizer.update_store(model.store),
    ):
        with pytest.raises(RuntimeError, match=r"got a step for LBFGS.* call model.fit\(X, y, epochs=200\)"):
            step()


def test_is_known_by_name_and_apart_from_those_that_step() -> None:
    assert type(get_optimizer("lbfgs")) is nnxp.LBFGS and nnxp.LBFGS not in OPTIMIZERS
    rule = nnxp.LBFGS(tol=1e-3, history=5, max_fun=7)
    assert rule.config() == {"class": "LBFGS", "tol": 1e-3, "history": 5, "max_fun": 7}
    with pytest.raises(ValueError, match="got history=0, expected a whole number from 1 up"):
        nnxp.LBFGS(history=0)


def test_max_fun_bounds_the_evaluations() -> None:
    model = model_of(max_fun=7)
    minimise(model, 50)
    result = model.optimizer.result  # type: ignore[attr-defined]
    assert 7 <= result.evaluations <= 7 + 20 and not result.converged and "EXCEEDS" in result.message.upper()


def test_a_file_a_copy_and_a_reset(tmp_path: Path) -> None:
    model = model_of(history=3)
    minimise(model, 5)
    model.save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors")
    assert loaded.optimizer.config() == model.optimizer.config() and loaded.optimizer.iterations == 5
    assert copy.copy(model.optimizer).result is None  # type: ignore[attr-defined]
    model.optimizer.reset()
    assert model.optimizer.result is None and model.optimizer.iterations == 0  # type: ignore[attr-defined]


def test_one_for_another_backend_refuses() -> None:
    model = model_of(backend="array_api_strict")
    with pytest.raises(nnxp.BackendMismatchError, match="got a target on numpy, expected one on array_api_strict"):
        minimise(model)


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "scipy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match=r'L-BFGS needs SciPy: pip install "nnxp\[sklearn\]"'):
        minimise(model_of())
