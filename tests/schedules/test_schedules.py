"""Every schedule of the registry against PyTorch's over 100 steps, and against its promises: lengths, what is kept
after the end, what is remembered, what a file holds."""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnxp
from nnxp.doors.naming import snake_case
from nnxp.schedules import (
    SCHEDULES,
    Cosine,
    Coslog,
    ExponentialDecay,
    FlatCosine,
    InverseTimeDecay,
    LinearWarmup,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    get_curve,
    get_schedule,
)
from tests.helpers.models import classifier, problem, values
from tests.helpers.registry import defined
from tests.optimizers.test_optimizers import START, STEPS, assert_same, dense, give, gradient, host

RATE = 0.05
LOSSES = np.random.default_rng(3).uniform(1, 2, STEPS) / np.arange(1, STEPS + 1) ** 0.2
every_class = pytest.mark.parametrize("cls", SCHEDULES, ids=lambda cls: cls.__name__)


@dataclass
class Case:
    """A schedule, and PyTorch's for an optimizer, in `torch.optim.lr_scheduler`'s words."""

    ours: Schedule
    theirs: Callable[[Any, Any], Any]


def warmed(module: Any, optimizer: Any, steps: int, start: float, then: Any) -> Any:
    """PyTorch's way: two in a row."""
    first = module.LinearLR(optimizer, start_factor=start, end_factor=1.0, total_iters=steps)
    return module.SequentialLR(optimizer, [first, then(optimizer)], [steps])


def one_cycle(module: Any, optimizer: Any, steps: int, **options: Any) -> Any:
    return module.OneCycleLR(optimizer, RATE, total_steps=steps, cycle_momentum=False, **options)


def plateau(module: Any, optimizer: Any, **options: Any) -> Any:
    return module.ReduceLROnPlateau(optimizer, threshold_mode="abs", eps=0.0, **options)


CASES = {
    "inverse time": Case(InverseTimeDecay(0.05), lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + 0.05 * t))),
    "step": Case(StepDecay(30, 0.5), lambda m, o: m.StepLR(o, 30, 0.5)),
    "step, of the training": Case(StepDecay(0.3), lambda m, o: m.StepLR(o, 30, 0.1)),
    "step defaults": Case(StepDecay(), lambda m, o: m.StepLR(o, 34, 0.1)),
    "exponential": Case(ExponentialDecay(0.95, steps=1), lambda m, o: m.ExponentialLR(o, 0.95)),
    "exponential defaults": Case(ExponentialDecay(), lambda m, o: m.ExponentialLR(o, 0.01 ** (1 / STEPS))),
    "cosine": Case(Cosine(), lambda m, o: m.CosineAnnealingLR(o, STEPS)),
    "cosine to a floor": Case(
        Cosine(floor=0.1, steps=STEPS + 20), lambda m, o: m.CosineAnnealingLR(o, STEPS + 20, eta_min=0.1 * RATE)
    ),
    "flat cosine defaults": Case(
        FlatCosine(),
        lambda m, o: m.LambdaLR(
            o, lambda t: 1.0 if 2 * t < STEPS else 0.5 * (1 + math.cos(math.pi * (2 * t / STEPS - 1)))
        ),
    ),
    "flat cosine": Case(
        FlatCosine(0.2, steps=STEPS + 50),
        lambda m, o: m.LambdaLR(o, lambda t: 1.0 if t < 30 else 0.5 + 0.5 * math.cos(math.pi * (t - 30) / 120)),
    ),
    "coslog defaults": Case(
        Coslog(),
        lambda m, o: m.LambdaLR(o, lambda t: 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t / STEPS))),
    ),
    "coslog": Case(
        Coslog(2, steps=STEPS + 50),
        lambda m, o: m.LambdaLR(o, lambda t: 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 3 * t / (STEPS + 50)))),
    ),
    "warm-up": Case(LinearWarmup(7, start=1 / 3), lambda m, o: m.LinearLR(o, 1 / 3, total_iters=7)),
    "warm-up defaults": Case(LinearWarmup(), lambda m, o: m.LinearLR(o, 0.04, total_iters=5)),
    "warm-up, then cosine": Case(
        LinearWarmup(0.2, then="cosine", start=0.1),
        lambda m, o: warmed(m, o, 20, 0.1, lambda o: m.CosineAnnealingLR(o, STEPS - 20)),
    ),
    "warm-up, then steps": Case(
        LinearWarmup(10, then=StepDecay(25), start=0.5), lambda m, o: warmed(m, o, 10, 0.5, lambda o: m.StepLR(o, 25))
    ),
    "one cycle defaults": Case(OneCycle(), lambda m, o: one_cycle(m, o, STEPS)),
    "one cycle": Case(
        OneCycle(warmup=12, start=0.1, end=0.001, steps=STEPS + 50),
        lambda m, o: one_cycle(m, o, STEPS + 50, pct_start=12 / 150, div_factor=10, final_div_factor=100),
    ),
    "plateau": Case(
        ReduceOnPlateau("loss", factor=0.5, patience=3, min_delta=0.01),
        lambda m, o: plateau(m, o, factor=0.5, patience=3, threshold=0.01),
    ),
    "plateau defaults": Case(ReduceOnPlateau("loss"), lambda m, o: plateau(m, o)),
    "plateau to a floor": Case(
        ReduceOnPlateau("loss", factor=0.3, patience=0, floor=0.2),
        lambda m, o: plateau(m, o, factor=0.3, patience=0, min_lr=0.2 * RATE),
    ),
    "plateau of an accuracy": Case(
        ReduceOnPlateau("accuracy", factor=0.5, patience=2),
        lambda m, o: plateau(m, o, mode="max", factor=0.5, patience=2),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_the_registry_holds_every_schedule() -> None:
    assert defined("nnxp.schedules", Schedule) - {type(get_schedule(math.pow))} == set(SCHEDULES)
    assert {type(case.ours) for case in CASES.values()} == set(SCHEDULES)


@every_case
def test_equals_pytorch(case: Case) -> None:
    """Rates, and the weights of 100 steps of SGD in float64."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch's schedules")
    layer, optimizer = dense(None), nnxp.SGD(RATE, schedule=case.ours)
    optimizer.total = STEPS
    leaf = torch.from_numpy(START.copy()).requires_grad_()
    their_optimizer = torch.optim.SGD([leaf], lr=RATE)
    theirs = case.theirs(torch.optim.lr_scheduler, their_optimizer)
    rates = []
    for step, loss in enumerate(LOSSES.tolist()):
        their_rate = their_optimizer.param_groups[0]["lr"]
        give(layer, gradient(host(layer), step))
        optimizer.pre_update_params()
        optimizer.update_params(layer)
        optimizer.post_update_params()
        assert optimizer.current_learning_rate == pytest.approx(their_rate, rel=1e-10, abs=1e-16)
        leaf.grad = torch.from_numpy(gradient(leaf.detach().numpy(), step))
        their_optimizer.step()
        assert optimizer.schedule is not None
        optimizer.schedule.observe({"loss": loss, "accuracy": loss})
        with warnings.catch_warnings():  # SequentialLR uses an argument that PyTorch itself warns of
            warnings.simplefilter("ignore")
            theirs.step(*([loss] if isinstance(case.ours, ReduceOnPlateau) else []))
        rates.append(their_rate)
    assert len(set(rates)) > 1
    assert_same(host(layer), leaf.detach().numpy(), 1e-10)


def test_the_decay_of_an_optimizer_is_one_of_them_and_multiplies_them() -> None:
    one, other = nnxp.SGD(0.1, decay=0.02, schedule=StepDecay(5)), nnxp.SGD(0.1, schedule=InverseTimeDecay(0.02))
    for step in range(20):
        for optimizer in (one, other):
            optimizer.pre_update_params()
            optimizer.post_update_params()
        assert other.current_learning_rate == pytest.approx(0.1 / (1 + 0.02 * step), rel=1e-15)
        assert one.current_learning_rate == pytest.approx(other.current_learning_rate * 0.1 ** (step // 5), rel=1e-15)


# --- lengths -------------------------------------------------------------------------------------------


def test_a_fraction_is_rounded_up_to_whole_steps_of_the_training() -> None:
    assert [LinearWarmup(0.07, start=0.0)(step, 100) for step in (6, 7)] == [6 / 7, 1.0]  # 0.07 * 100 > 7 in floats
    assert [StepDecay(1 / 3)(step, 10) for step in (3, 4, 7, 8)] == [1.0, 0.1, 0.1, 0.1**2]
    assert LinearWarmup(0.1, start=0.0)(0, 3) == 0.0 and LinearWarmup(0.1)(1, 3) == 1.0


def test_after_the_end_the_last_value_stays() -> None:
    total = 40
    for schedule in (StepDecay(0.25), ExponentialDecay(), Cosine(0.1), OneCycle(), LinearWarmup(0.1, "cosine")):
        assert schedule(total, total) == schedule(3 * total, total)
    assert StepDecay(0.25)(total, total) == StepDecay(0.25)(total - 1, total) == 0.1**3
    assert Cosine(0.1)(total, total) == 0.1 and ExponentialDecay(0.2)(total, total) == 0.2
    assert OneCycle()(total - 1, total) == OneCycle()(total, total) == 4e-6
    assert StepDecay(10)(total + 1, total) == 0.1**4  # a number of steps is not of the training


def test_the_waves_of_coslog() -> None:
    """Each is twice as long as the one before it, 0 at both ends, and 1 where half of its logarithm has passed."""
    total, coslog = 1500, Coslog()
    assert coslog(0, total) == 0.0
    for wave in range(4):
        end, middle = (2 ** (wave + 1) - 1) * total / 15, (2 ** (wave + 0.5) - 1) * total / 15
        assert coslog(round(end), total) == pytest.approx(0.0, abs=1e-12)
        assert coslog(round(middle), total) == pytest.approx(1.0, abs=3e-4)  # half a step beside it: (π · 0.0051)²
    assert coslog(2 * total, total) == coslog(total, total)


def test_what_a_flat_cosine_begins_and_ends_with() -> None:
    assert [FlatCosine()(step, 8) for step in (0, 4, 6, 8, 9)] == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert [FlatCosine(0.0)(step, 8) for step in (0, 4)] == [Cosine()(step, 8) for step in (0, 4)]


def test_one_cycle_peaks_once() -> None:
    for total in (1, 2, 3, 10, 1000):
        factors = [OneCycle()(step, total) for step in range(total)]
        assert max(factors) == factors[max(0, math.ceil(round(0.3 * total, 6)) - 1)] == 1.0
        assert sum(factor == 1.0 for factor in factors) == 1


@pytest.mark.parametrize(
    ("schedule", "fix"),
    [
        (Cosine(), r"Cosine\(steps=1000\)"),
        (OneCycle(), r"OneCycle\(steps=1000\)"),
        (ExponentialDecay(), r"ExponentialDecay\(steps=1000\)"),
        (StepDecay(0.25), r"StepDecay with every=0.25 .* StepDecay\(every=1000\)"),
        (LinearWarmup(), r"LinearWarmup with steps=0.05 .* LinearWarmup\(steps=1000\)"),
        (LinearWarmup(1, then="cosine"), r"Cosine\(steps=1000\)"),
        (FlatCosine(), r"FlatCosine\(steps=1000\)"),
        (Coslog(), r"Coslog\(steps=1000\)"),
    ],
)
def test_what_needs_the_training_s_length_says_so(schedule: Schedule, fix: str) -> None:
    optimizer = nnxp.SGD(schedule=schedule)
    optimizer.iterations = 3
    with pytest.raises(ValueError, match=f"{fix}, or set optimizer.total to that of the whole training"):
        optimizer.pre_update_params()
    optimizer.total = 10
    optimizer.pre_update_params()


# --- properties ----------------------------------------------------------------------------------------

lengths = st.none() | st.integers(1, 300) | st.floats(0.001, 0.999)
known = lengths.filter(lambda value: value is not None)
shares = st.floats(0, 0.999)
curves = st.one_of(
    st.builds(InverseTimeDecay, st.floats(0, 10)),
    st.builds(StepDecay, known, shares),
    st.builds(ExponentialDecay, shares, lengths),
    st.builds(Cosine, shares, lengths),
    st.builds(FlatCosine, shares, lengths),
    st.builds(Coslog, st.integers(1, 60), lengths),
    st.builds(OneCycle, known, shares, shares, lengths),
    st.builds(ReduceOnPlateau, st.just("loss"), shares, st.integers(0, 3), shares, shares),
)
schedules = curves | st.builds(LinearWarmup, known, st.none() | curves, shares)


def followed(schedule: Schedule, steps: range, total: int) -> list[float]:
    """The factors, each step an epoch."""
    factors = []
    for step in steps:
        factors.append(schedule(step, total))
        schedule.observe({"loss": math.sin(step)})
    return factors


@given(schedules, st.integers(1, 400), st.data())
def test_factors_are_finite_between_0_and_1_and_go_on_after_a_restart(schedule: Any, total: int, data: Any) -> None:
    end = data.draw(st.integers(1, 2 * total))
    stop = data.draw(st.integers(0, end))
    factors = followed(schedule, range(end), total)
    assert all(isinstance(f, float) and 0 <= f <= 1 for f in factors)
    schedule.restore({})
    first = followed(schedule, range(stop), total)
    second = made_again(schedule)
    second.restore(schedule.state())
    assert first + followed(second, range(stop, end), total) == factors


def made_again(schedule: Schedule) -> Schedule:
    """From its options."""
    options = {name: getattr(schedule, name) for name in schedule.options}
    twin = type(schedule)(**options)
    assert twin.config() == schedule.config()
    return twin


@given(st.builds(LinearWarmup, st.integers(1, 50), st.just("cosine"), shares))
def test_a_warm_up_meets_what_follows(schedule: LinearWarmup) -> None:
    """No step changes the factor by more than the warm-up's own, or the cosine's steepest."""
    factors = followed(schedule, range(200), 200)
    steepest = max((1 - schedule.start) / schedule.steps, math.pi / 2 / (200 - schedule.steps))
    assert np.max(np.abs(np.diff(factors))) <= steepest * (1 + 1e-9)


# --- reducing on a plateau -------------------------------------------------------------------------------


def test_what_is_not_finite_is_never_better() -> None:
    schedule = ReduceOnPlateau("loss", factor=0.5, patience=1)
    factors = []
    for loss in (math.nan, 3.0, math.nan, -math.inf, 2.0, math.inf, math.nan):
        schedule.observe({"loss": loss})
        factors.append(schedule(0))
    assert factors == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    assert schedule.state() == {"current": 0.25, "best": 2.0, "waited": 0}


def test_the_direction_follows_the_name_unless_it_is_given() -> None:
    for monitor, mode, better in (("val_accuracy", None, 2.0), ("val_loss", None, 0.5), ("score", "max", 2.0)):
        schedule = ReduceOnPlateau(monitor, patience=0, mode=mode)  # type: ignore[arg-type]
        for value in (1.0, better):
            schedule.observe({monitor: value})
        assert schedule(0) == 1.0 and schedule.best == better


def test_an_entry_that_no_epoch_has() -> None:
    with pytest.raises(ValueError, match=r"got monitor='val_loss', expected one of loss, accuracy: give fit valid"):
        ReduceOnPlateau().observe({"loss": 1.0, "accuracy": 0.5})


def test_others_see_epochs_unmoved() -> None:
    for schedule in (Cosine(), LinearWarmup(5)):
        schedule.observe({"loss": 1.0})
        assert schedule.state() == {}
        schedule.restore({})


# --- in an optimizer -------------------------------------------------------------------------------------


@every_class
def test_names_and_config(cls: type[Schedule]) -> None:
    schedule = get_schedule(snake_case(cls.__name__))
    assert type(schedule) is type(get_schedule(cls)) is cls
    config = nnxp.Adam(schedule=schedule).config()["schedule"]
    assert config == schedule.config() and config.pop("class") == cls.__name__
    assert cls(**config).config() == schedule.config()


def test_a_schedule_is_not_shared() -> None:
    mine = LinearWarmup(2, then=ReduceOnPlateau("loss", patience=0))
    optimizers = [nnxp.SGD(schedule=mine), nnxp.SGD(schedule=mine)]
    optimizers.append(copy.copy(optimizers[0]))
    for _ in range(2):
        optimizers[0].schedule.observe({"loss": 1.0})  # type: ignore[union-attr]
    assert [o.schedule(5) for o in optimizers] == [0.1, 1.0, 1.0]  # type: ignore[misc]
    assert mine(5) == 1.0
    assert copy.copy(optimizers[0]).schedule(5) == 1.0  # type: ignore[misc]  # a copy begins afresh
    optimizers[0].total = 7
    optimizers[0].reset()
    assert optimizers[0].schedule(5) == 1.0 and optimizers[0].total is None  # type: ignore[misc]


def test_any_function_is_a_schedule() -> None:
    seen = []

    def halved(step: int, total: int | None) -> int:
        seen.append((step, total))
        return 2

    optimizer = nnxp.SGD(0.1, schedule=halved)
    optimizer.total = 9
    optimizer.pre_update_params()
    assert seen == [(0, 9)] and optimizer.current_learning_rate == 0.2
    assert optimizer.schedule is not None and optimizer.schedule.state() == {}


@pytest.mark.parametrize("factor", [None, -1.0, np.nan, np.inf, "half"], ids=str)
def test_what_a_function_gives_as_a_schedule_is_looked_at(factor: Any) -> None:
    optimizer = nnxp.SGD(0.1, schedule=lambda step, total: factor)
    with pytest.raises(ValueError, match=rf"got {factor!r} at step 0 from the schedule .*from 0 up.*\(step, total\)"):
        optimizer.pre_update_params()


def test_a_schedules_function_takes_the_step_and_the_total() -> None:
    with pytest.raises(TypeError, match=r"got the schedule <lambda>, .*too many .*a schedule is a function"):
        nnxp.SGD(0.1, schedule=lambda step: 1.0)
    assert nnxp.SGD(0.1, schedule=max).schedule is not None  # of a builtin nobody knows what it takes
    with pytest.raises(NotImplementedError, match=r"Schedule defines no __call__\(step, total\)"):
        Schedule()(0, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: get_schedule("cosin"), "got schedule 'cosin', expected .* did you mean 'cosine'"),
        (
            lambda: nnxp.SGD(schedule=3),
            "got schedule 3, expected an object or one of cosine, coslog, expo",
        ),
        (lambda: InverseTimeDecay(-1), "got decay=-1, expected a number from 0 up"),
        (lambda: StepDecay(0), "got every=0, expected a whole number of steps from 1 up, or a fraction of the train"),
        (lambda: StepDecay(10**400), "got every=1000.*, expected a whole number of steps"),
        (lambda: StepDecay(10.0), "got every=10.0, expected a whole number of steps"),
        (lambda: StepDecay(10, 1.5), "got factor=1.5, expected a number from 0 up to but not including 1"),
        (lambda: ExponentialDecay(steps=True), "got steps=True, expected a whole number of steps"),
        (lambda: Cosine(floor=1.0), "got floor=1.0, expected"),
        (lambda: LinearWarmup(start=math.nan), "got start=nan, expected"),
        (lambda: LinearWarmup(then="warm"), "got schedule 'warm', expected"),
        (lambda: OneCycle(warmup=1.0), "got warmup=1.0, expected a whole number of steps"),
        (lambda: FlatCosine(1), "got flat=1, expected a number from 0 up to but not including 1"),
        (lambda: Coslog(0), "got waves=0, expected a whole number from 1 up"),
        (lambda: Coslog(61), "got waves=61, expected at most 60"),
        (lambda: get_curve("reduce_on_plateau"), "which looks at how the training goes, expected a curve over the ste"),
        (lambda: get_curve(LinearWarmup(then=ReduceOnPlateau())), r"got LinearWarmup\(.*\), which looks at how"),
        (lambda: ReduceOnPlateau(mode="lower"), 'got mode=\'lower\', expected "min", "max" or None'),
        (lambda: ReduceOnPlateau(patience=-1), "got patience=-1, expected"),
        (lambda: ReduceOnPlateau(factor=1), "got factor=1, expected"),
        (lambda: ReduceOnPlateau(floor=2), "got floor=2, expected"),
    ],
)
def test_bad_options(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- in a model's file -------------------------------------------------------------------------------------


class Halving(Schedule):
    """One of the user's own."""

    options = ("every",)

    def __init__(self, every: int = 10) -> None:
        self.every = every

    def __call__(self, step: int, total: int | None = None) -> float:
        return 0.5 ** (step // self.every)


class Forgetful(Halving):
    options = ("every", "never")
    never = 1


def steps(model: nnxp.Sequential, losses: list[float]) -> None:
    """An epoch of one step for each."""
    for loss in losses:
        model.train_step(*problem())
        assert model.optimizer.schedule is not None
        model.optimizer.schedule.observe({"loss": loss})


@pytest.mark.parametrize(
    "schedule",
    [
        ReduceOnPlateau("loss", patience=1),
        LinearWarmup(2, then=ReduceOnPlateau("loss", patience=1)),
        Cosine(),
        Halving(4),
    ],
    ids=["plateau", "plateau after a warm-up", "of the training", "own"],
)
def test_a_model_from_a_file_goes_on_as_if_uninterrupted(schedule: Schedule, tmp_path: Path) -> None:
    losses = [1.0, 2.0, 2.0, 0.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    models = [classifier(optimizer=nnxp.Adam(0.1, schedule=schedule)) for _ in range(2)]
    for model in models:
        model.optimizer.total = len(losses)
    steps(models[0], losses)
    steps(models[1], losses[:5])
    models[1].save(tmp_path / "m.safetensors")
    loaded = nnxp.load(tmp_path / "m.safetensors", layers={"Halving": Halving})
    steps(loaded, losses[5:])
    assert loaded.optimizer.config() == models[0].optimizer.config()
    assert loaded.optimizer.current_learning_rate == models[0].optimizer.current_learning_rate < 0.1
    np.testing.assert_array_equal(values(loaded), values(models[0]))


def test_a_file_holds_no_function(tmp_path: Path) -> None:
    for schedule in (lambda step, total: 1.0, LinearWarmup(5, then=lambda step, total: 1.0)):
        model = classifier(optimizer=nnxp.SGD(schedule=schedule))
        with pytest.raises(
            ValueError, match=r"which is a function: make it a subclass of nnxp.schedules.Schedule, and"
        ):
            model.save(tmp_path / "m.safetensors")


def test_a_schedule_of_the_user_s_own_has_to_be_given_and_to_name_its_options(tmp_path: Path) -> None:
    model = classifier(optimizer=nnxp.SGD(schedule=LinearWarmup(5, then=Halving())))
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(nnxp.ModelFileError, match=r"'Halving', which is not known here.*layers={'Halving': Halving}"):
        nnxp.load(tmp_path / "m.safetensors")
    model = classifier(optimizer=nnxp.SGD(schedule=Forgetful()))
    with pytest.raises(ValueError, match="cannot save Forgetful, which its options .* do not make again"):
        model.save(tmp_path / "m.safetensors")
