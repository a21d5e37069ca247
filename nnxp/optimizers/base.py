"""What every optimizer shares: the walk over its target, its state, schedule, clipping and the weights' average."""

import copy
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from nnxp.backends import Backend
from nnxp.doors.arrays import Switch
from nnxp.doors.options import above_zero, factors_by_name, not_negative, share
from nnxp.errors import BackendMismatchError
from nnxp.kernels import formulas
from nnxp.layers.base import Layer
from nnxp.memory.parameters import ParameterStore, Span, Token
from nnxp.optimizers.clipping import clip
from nnxp.optimizers.factors import Factors, Table, check_names, factor_of, factors_within, rate_of
from nnxp.optimizers.targets import Layout, Stretch, Target, pieces_of
from nnxp.typing import Array

if TYPE_CHECKING:
    from nnxp.schedules import Schedule


class Optimizer(Switch):
    """The base class.

    Parameters
    ----------
    learning_rate : float
        The step size before schedule and decay.
    schedule : str, Schedule or callable, optional
        What multiplies the rate at each step: one of `nnxp.schedules`, its name such as "cosine", or a function of
        (step, total). A schedule is copied: two optimizers share none.
    decay : float
        Inverse-time decay: the rate is learning_rate · schedule / (1 + decay · iterations).
    ema : float, optional
        β of a moving average of the weights, 0.999 say, from 0 to below 1: after each update m = βm + (1 - β)w,
        from the weights before the first (Polyak and Juditsky 1992, exponentially weighted). See `average`.
    clip_norm : float, optional
        The largest Euclidean norm that the gradients of one call's target may have together; longer ones are
        scaled down (Pascanu et al. 2013, algorithm 1), also those whose squares are beyond the dtype. On the device,
        without waiting for it. A number beyond the dtype clips nothing, here and below.
    clip_value : float, optional
        The largest magnitude of a single gradient element.
    factors : dict of float, optional
        What multiplies the rate, by the name of a parameter, of a layer's class, or of both:
        {"biases": 0.1, "BatchNorm": 2, "Dense.weights": 0.5}. The name that says most counts, and a layer's own
        `factors`, Dense(..., factors={"weights": 0.5}), before it. {"members": [1, 10]} multiplies the rates of two
        members, beside those. The update stays one pass. Assign another dict to change them.
    backend
        Where given, targets of another backend are refused; otherwise targets decide.

    Attributes
    ----------
    iterations : int
        Finished steps; `post_update_params` moves it.
    total : int or None
        Updates that the whole training is to have, which some schedules need: `fit` sets it, a loop of your own may.
    current_learning_rate : float
        The rate of this step; `pre_update_params` sets it.
    """

    slots: tuple[str, ...] = ()
    by_kind = False
    """Whether weights and biases are updated apart."""
    options: ClassVar[tuple[str, ...]] = (
        "learning_rate", "schedule", "decay", "clip_norm", "clip_value", "ema", "factors"
    )  # fmt: skip
    factors: dict[str, Any] | None = None
    _if_given: ClassVar[tuple[str, ...]] = ("factors",)
    _on_host = ("decay", "clip_norm", "clip_value")
    _by_name: ClassVar[tuple[str, ...]] = ("factors",)
    """Options that are factors by name."""

    def __init__(
        self,
        learning_rate: float,
        *,
        schedule: Any = None,
        decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | None = None,
        factors: Mapping[str, Any] | None = None,
        backend: Any = None,
    ) -> None:
        super().__init__(backend)
        self.learning_rate = not_negative("learning_rate", learning_rate)
        self.schedule: Schedule | None = None
        if schedule is not None:
            from nnxp.schedules import get_schedule

            self.schedule = get_schedule(schedule)
        self.decay = not_negative("decay", decay)
        self.clip_norm = None if clip_norm is None else above_zero("clip_norm", clip_norm)
        self.clip_value = None if clip_value is None else above_zero("clip_value", clip_value)
        self.ema = None if ema is None else share("ema", ema)
        self._begin()
        self.pending: dict[str, Array] = {}  # slots from a model file, until the model has a store
        self._state: weakref.WeakKeyDictionary[Token, list[Array]] = weakref.WeakKeyDictionary()
        self._laid_out: weakref.WeakKeyDictionary[Token, Layout] = weakref.WeakKeyDictionary()
        self.factors = factors_by_name("factors", factors)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._by_name:
            value = factors_by_name(name, value)
            self._laid_out.clear()
        super().__setattr__(name, value)

    def _begin(self) -> None:
        """Iteration 0."""
        self.iterations, self.current_learning_rate = 0, self.learning_rate
        self.total: int | None = None
        if self.schedule is not None:
            self.schedule.restore({})

    def progress(self) -> dict[str, Any]:
        """How far it is: all that a copy of a model takes over beside `saved_state`."""
        names = ("iterations", "total", "current_learning_rate")
        return {name: getattr(self, name) for name in names} | {"schedule": self.schedule and self.schedule.state()}

    def resume(self, progress: dict[str, Any]) -> None:
        """Takes over what `progress` gave."""
        self.iterations, self.total = progress["iterations"], progress["total"]
        self.current_learning_rate = progress["current_learning_rate"]
        if self.schedule is not None:
            self.schedule.restore(progress["schedule"])

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of all that is kept for a store: the rule's slots, and the weights' average."""
        return self.slots if self.ema is None else (*self.slots, "average")

    @property
    def takes(self) -> list[str]:
        """`kept`, each with its owner, for who counts memory."""
        return [f"{type(self).__name__}'s {name}" for name in self.kept]

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no model and has no state yet."""
        left_out = ("_model", "_state", "_laid_out")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._state, self._laid_out = weakref.WeakKeyDictionary(), weakref.WeakKeyDictionary()
        self.schedule = copy.deepcopy(self.schedule)
        self._begin()

    def check_factors(self, layers: Iterable[Layer], members: int = 1) -> None:
        """Raises ValueError where factors are of what a model of these layers and members does not have."""
        for name in self._by_name:
            if given := getattr(self, name):
                check_names(name, given, layers, members)

    def join(self, model: Any) -> None:
        """Becomes a model's; starts afresh where the model it had is gone."""
        if self._model is not None and self.model is None:
            self.reset()
        super().join(model)

    def pre_update_params(self) -> None:
        """Sets the learning rate of a step; call before its updates."""
        factor = 1.0 if self.schedule is None else self.schedule(self.iterations, self.total)
        rate = self.learning_rate * factor / (1.0 + self.decay * self.iterations)
        self.__dict__["current_learning_rate"] = rate  # what runs in a step goes past the check of an attribute's name

    def update_params(self, target: Target) -> None:
        """Changes the parameters of a layer, a model, or a list of them by their gradients.

        Raises
        ------
        RuntimeError
            No backward has computed the gradients yet, or this optimizer's state belongs to a store that the
            layer has left.
        """
        stretches = [self._stretch(store, span) for store, span in pieces_of(target, self.by_kind)]
        if self._clips:
            clip(stretches, self.clip_value, self.clip_norm)
        for stretch in stretches:
            with stretch.backend.context():
                self._update(stretch)

    def update_store(self, store: ParameterStore, part: slice | None = None) -> None:
        """`update_params` of everything in a store whose gradients are all there, or of a part: what a model's step
        calls, on its device."""
        spans, layout = store.spans(None, self.by_kind, part=part), self._layout(store)
        if layout.spans is not spans:
            layout.spans, layout.whole = spans, [self._stretch(store, span) for span in spans]
        if self._clips:
            clip(layout.whole, self.clip_value, self.clip_norm)
        for stretch in layout.whole:
            self._update(stretch)

    @property
    def _clips(self) -> bool:
        return self.clip_value is not None or self.clip_norm is not None

    def _update(self, stretch: Stretch) -> None:
        backend, factors, w, g, slots, average, clipped = stretch
        self.step(backend, w, clipped[0] if self._clips else g, slots, factors)
        if self.ema is not None and average is not None:
            backend.fuse(formulas.moving_average, into=("m",))(average, w, self.ema)

    def post_update_params(self) -> None:
        """Counts the step; call after its updates."""
        self.__dict__["iterations"] += 1

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """Updates one stretch in place: parameters w, gradients g, all flat. `factors` fuses the formula, its `rate`
        multiplies the learning rate, and its `arrays` are the kernel's last arguments."""
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def reset(self) -> None:
        """Forgets all state and starts again at iteration 0."""
        self._state.clear()
        self._laid_out.clear()
        self.pending = {}
        self._begin()

    def state(self, store: ParameterStore) -> list[Array]:
        """What is kept for a store, by `kept`: flat arrays (trained,). Before the first step slots are zero, and the
        average is the weights."""
        if store.token not in self._state:
            if any(token in self._state for token in store.former):
                raise RuntimeError(
                    f"this {type(self).__name__} has state from training a layer by itself, which is now part of a "
                    "model: call optimizer.reset() to start afresh, or give the model an optimizer of its own"
                )
            with store.backend.context(), store.counted(self.takes):
                kept = [store.backend.xp.zeros_like(store.gradients) for _ in self.slots]
                if self.ema is not None:
                    weights = store.values[: store.trained]
                    kept.append(store.backend.asarray(weights, dtype=store.dtype, copy=True))
            self._state[store.token] = kept
        return self._state[store.token]

    def average(self, store: ParameterStore) -> Array | None:
        """The moving average of a store's trained parameters, flat (trained,), laid out like `store.values`; None
        without `ema`. What is not trained, such as running means, has none; what is frozen is its own average."""
        if self.ema is None:
            return None
        average = self.state(store)[-1]
        with store.backend.context():
            for start, stop, _ in store.spans(None, by_kind=False, frozen=True):
                average[start:stop] = store.values[start:stop]
        return average

    def saved_state(self, store: ParameterStore) -> dict[str, Array]:
        """What is kept, by name, once there is anything for the store: what a model file holds."""
        return dict(zip(self.kept, self._state.get(store.token, ()), strict=False))

    def restore_state(self, store: ParameterStore, slots: dict[str, Array]) -> None:
        """Takes over what `saved_state` gave, of any library."""
        got = {name: tuple(slot.shape) for name, slot in slots.items()}
        expected = dict.fromkeys(self.kept, (store.trained,))
        if got != expected:
            raise ValueError(f"got optimizer state of shapes {got}, expected {expected}")
        with store.backend.context():
            for slot, name in zip(self.state(store), self.kept, strict=True):
                slot[...] = store.backend.asarray(slots[name], dtype=store.dtype)

    def config(self) -> dict[str, Any]:
        """The class and its options, as JSON can hold them."""
        return {"class": type(self).__name__, **self._said()}

    def _layout(self, store: ParameterStore) -> Layout:
        laid_out = self._laid_out.get(store.token)
        if laid_out is None:
            self._refuse_other(store)
            self._check_options(store.dtype)
            decays = getattr(self, "decay_factors", None)
            laid_out = self._laid_out[store.token] = Layout(
                Table(store, lambda entry: rate_of(entry, self.factors), self.factors),
                Table(store, lambda entry: factor_of(entry, decays), decays),
            )
        return laid_out

    def _stretch(self, store: ParameterStore, span: Span) -> Stretch:
        """The views of a span: the same objects at every step, so that a kernel knows them again."""
        laid_out = self._layout(store)
        stretch = laid_out.stretches.get(span)
        if stretch is None:
            part, backend = slice(span.start, span.stop), store.backend
            with backend.context():
                kept = [slot[part] for slot in self.state(store)]
                with store.counted([*self.takes, f"{type(self).__name__}'s factors"]):
                    factors = factors_within(span, laid_out.rates, laid_out.decays, backend)
                slots, average = kept[: len(self.slots)], kept[-1] if self.ema is not None else None
                w, g = store.values[part], store.gradients[part]
                stretch = laid_out.stretches[span] = Stretch(backend, factors, w, g, slots, average, [])
        return stretch

    def _refuse_other(self, store: ParameterStore) -> None:
        """Raises where the store is on another backend than the one that was named."""
        if self._named and store.backend.name != self.backend.name:
            raise BackendMismatchError(
                f"got a target on {store.backend.name}, expected one on {self.backend.name}, for which this "
                f"{type(self).__name__} was built: leave out the optimizer's backend=, and it follows its target"
            )
