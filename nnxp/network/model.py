"""Layers in a row as one thing: bound to a store on a backend, copied, pickled, and given X."""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from nnxp import random
from nnxp.backends import Backend
from nnxp.doors.describing import as_call, one_a_line, text
from nnxp.doors.options import boolean, positive, whole
from nnxp.layers import Layer
from nnxp.layers.parts import with_parts
from nnxp.losses import Loss, get_loss
from nnxp.memory.counting import counted
from nnxp.memory.parameters import ParameterStore
from nnxp.network.architecture import as_layer, check_classes, check_loss, check_members, following, widths
from nnxp.network.by_layer import ByLayer, several
from nnxp.network.history import RunningFit
from nnxp.optimizers import Optimizer, get_optimizer
from nnxp.typing import Array, EncoderState


class Model(ByLayer):
    """What `Sequential` is made of, which explains its parameters and attributes, and trains and predicts."""

    _of_this_process: ClassVar[tuple[str, ...]] = (
        "_binding", "_predictions", "_course", "_made_of", "_wholes", "_wide", "_made_by", "communicator"
    )  # fmt: skip
    """Attributes that no copy and no pickle takes over: see `_start_afresh`."""
    _unknown = "; what you note of a model belongs in its `preprocessing`, which is saved with it"
    encoder: EncoderState | None = None
    """What makes X of a table, as `nnxp.tabular.Encoder.state` gives it; saved with the model."""
    members: int = 1
    """How many networks the model is: see `nnxp.network.members`."""
    _seeds: tuple[int, ...] | None = None
    """Those of the members, where they do not follow from the model's."""

    def __init__(
        self,
        layers: Sequence[Layer | str],
        loss: str | Loss | None = None,
        optimizer: str | Optimizer = "adam",
        *,
        backend: Any = None,
        dtype: str | None = None,
        seed: int | None = None,
        members: int = 1,
        shared: bool = False,
        communicator: Any = None,
        reproducible: bool = False,
    ) -> None:
        super().__init__(backend, dtype)
        if positive("members", members) != 1:
            self.members = members
        if isinstance(layers, Layer | str):
            raise TypeError(
                f"got {layers!r} as layers, expected a list of them: Sequential([Dense(2, 3), ReLU(), ...])"
            )
        self.layers = [as_layer(layer) for layer in layers]
        if not self.layers:
            raise ValueError("got no layers, expected a list of some: Sequential([Dense(2, 3), ReLU(), ...])")
        if boolean("shared", shared):
            from nnxp.network.sharing import with_shared_weights

            self.layers = with_shared_weights(self.layers)
        self.loss = None if loss is None else copy.copy(get_loss(loss))  # another model may be elsewhere
        self.optimizer = get_optimizer(optimizer)
        self.seed = random.fresh_seed() if seed is None else whole("seed", seed)
        self.seeded = seed is not None
        self.history: dict[str, list[Any]] = {}
        self.epoch = self.step = 0
        self._classes: list[str] | None = None
        self.preprocessing: dict[str, Any] = {}
        self._store: ParameterStore | None = None
        self._start_afresh()
        if communicator is not None or boolean("reproducible", reproducible):
            self._join_in(communicator, reproducible)
        self.n_in, self.n_out = widths(self.layers)
        check_loss(self.layers, self.loss)
        check_members(self.layers, self.members)
        self._take_parts()
        if self._named:
            _ = self.store

    def _start_afresh(self) -> None:
        """Sets what is of this process: nothing runs yet."""
        self._binding, self._predictions = threading.RLock(), threading.local()
        self._course: RunningFit | None = None
        self._wide: list[list[Layer]] | None = None
        self._made_by: list[Any] = []
        self.__dict__.pop("communicator", None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "optimizer":
            value = get_optimizer(value)
            value.check_factors(self.layers, self.members)
            if self.members > 1:
                several().check_optimizer(value, self.members, several().share(self.layers))
        elif name == "loss" and value is not None:
            value = get_loss(value)
        elif name == "communicator":
            value = self._joining(value)
        super().__setattr__(name, value)

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes, for people; saved with the model."""
        return self._classes

    @classes.setter
    def classes(self, names: Sequence[str] | None) -> None:
        self._classes = check_classes(names, self.loss, self.n_out)

    @property
    def course(self) -> RunningFit | None:
        """Where the fit stands that runs; None between fits."""
        return self._course

    @property
    def seeds(self) -> list[int]:
        """That of each member, by which it begins and drops units: as a model of its own with this seed does. Batches
        come in the order of the model's, unless a fit takes each one's. Assign others before weights are drawn."""
        if self._seeds is not None:
            return [*self._seeds]
        return [self.seed] if self.members == 1 else [several().seed_of(self.seed, k) for k in range(self.members)]

    @seeds.setter
    def seeds(self, seeds: Sequence[int]) -> None:
        if len(seeds) != self.members:
            raise ValueError(f"got {len(seeds)} seeds for a model of {self.members} members, expected one for each")
        self._seeds, self._wide = tuple(whole("seed", seed) for seed in seeds), None

    def prediction(self, layers: list[Layer], apart: bool = False) -> Callable[[Array], Array]:
        """This thread's forward pass through the layers, or the first of them; of several members apart or averaged."""
        raise NotImplementedError(f"{type(self).__name__} does not predict: see Sequential")

    @as_call
    def __repr__(self) -> list[str]:
        where, seed = self._backend if self._named else None, self.seed if self.seeded else None
        backend = where and (where if where._given else where.name)
        dtype = self.dtype if self.dtype != "float32" else None
        given = {"loss": self.loss, "optimizer": self.optimizer, "backend": backend, "dtype": dtype, "seed": seed}
        given |= {"members": self.members if self.members > 1 else None}
        return [one_a_line(self.layers), *(f"{k}={text(v)}" for k, v in given.items() if v is not None)]

    @property
    def store(self) -> ParameterStore:
        """The flat store of all parameters; reading it before any X decides for NumPy."""
        with self._binding:  # two threads may predict at once
            if self._store is None:
                self._bind()
        assert self._store is not None
        return self._store

    def bind_to(self, backend: Backend) -> None:
        """Gives a model that is on no backend yet its store there, still empty: a file's tensors will fill it."""
        self._backend, self._named = backend.with_dtype(self.dtype), True
        self._bind(draw=False)

    def _bind(self, draw: bool = True) -> None:
        """Moves all parameters into one store on the backend; draws those that are not drawn yet. Where that fails,
        everything is as it was."""
        layers, pending = self._all_layers(), self.optimizer.pending
        before = [dict(layer.__dict__) for layer in layers]
        try:
            self._bind_layers(draw)
        except BaseException:
            self._store, self.optimizer.pending = None, pending
            for layer, attributes in zip(layers, before, strict=True):
                layer.__dict__.clear()
                layer.__dict__.update(attributes)
            raise

    def _bind_layers(self, draw: bool) -> None:
        places = [*with_parts(self.layers)]
        layers = [layer for _, layer in places]
        given = {layer._dtype for layer in layers if layer.parameters and layer._dtype is not None}
        if self._dtype is None and len(given) == 1:
            self._dtype = given.pop()
        backend, dtype = self.backend, self.dtype
        backend.with_dtype(dtype)  # raises where the device has no such dtype
        entries = [e for position, layer in places for e in layer._on(backend, dtype, self._named).entries(position)]
        if self.members > 1:
            entries = several().entries_of(entries, self.layers, self.members)
        values, trained = (sum(entry.size for entry in entries if entry.kind not in out) for out in ((), ("state",)))
        with backend.context(), counted(values, trained, dtype, self.optimizer.takes, backend.name):
            store = ParameterStore(backend, dtype, entries)
            seeds = self.seeds
            for i, (position, layer) in enumerate(places):
                layer.seed = self.seed if self.members > 1 else seeds[0]
                if draw and self.members > 1:
                    several().bind(layer, store, position, self.seed, following(layers, i), seeds)
                elif draw:
                    layer.bind(store, position, seeds[0], following(layers, i))
                else:
                    layer.attach(store, position)
        if self.loss is not None:
            self.loss._on(backend, dtype)
        self._store = store
        self.restore_optimizer(self.optimizer.pending)

    def _all_layers(self) -> list[Layer]:
        """The layers, each followed by its parts."""
        self.check_layers()
        return [layer for _, layer in with_parts(self.layers)]

    def _take_parts(self) -> None:
        """Layers, their parts and the optimizer become the model's: all of them, or none where one is another's."""
        layers = [layer for _, layer in with_parts(self.layers)]
        for part in (*layers, self.optimizer):
            part.may_join(self)
        for part in (*layers, self.optimizer):
            part.join(self)
        self._made_of, self._wholes = [*self.layers], [layer for layer in layers if layer._held]

    def check_layers(self) -> None:
        """Raises ValueError where `layers` are no longer those that the model was made of."""
        if self.layers != self._made_of:
            raise ValueError(
                "got other layers in model.layers, expected those that the model was made of: build a new one, with "
                'copies of what is kept, Sequential([*copy.deepcopy(model.layers[:2]), Dense(8, 3), "softmax"], ...)'
            )
        for layer in self._wholes:
            layer._found()
        if self._wide is not None and self._course is None and self._made_by != several().options_of(self.layers):
            self.replan()  # an option was set since: what runs side by side is made with them

    def replan(self) -> None:
        """A layer is being frozen or thawed: the next step is another. Raises RuntimeError while a fit runs."""
        if self.members > 1:
            self._wide, self._predictions = None, threading.local()
        if self._course is not None:
            raise RuntimeError("got trainable= while a fit runs, expected it set before or after: its plan is made")

    def running(self, layers: Sequence[Layer]) -> list[Layer]:
        """What runs for the model's layers, or the first of them: they themselves, or of several members what computes
        all of these side by side."""
        if self.members == 1:
            return [*layers]
        with self._binding:
            if self._wide is None:
                _ = self.store
                self._made_by = several().options_of(self.layers)
                self._wide = several().side_by_side(self.layers, self.seeds)
        return [made for row in self._wide[: len(layers)] for made in row]

    def restore_optimizer(self, slots: dict[str, Array]) -> None:
        """Gives the optimizer the state that a model file held, now or when the backend is decided."""
        self.optimizer.pending = {} if self._store is not None else slots
        if self._store is not None and slots:
            self.optimizer.restore_state(self._store, slots)

    def __getstate__(self) -> dict[str, Any]:
        """What pickle keeps: the model without what belongs to this process, and the optimizer's state."""
        state = {name: value for name, value in self.__dict__.items() if name not in type(self)._of_this_process}
        optimizer, store = self.optimizer, self._store
        slots = optimizer.pending if store is None else optimizer.saved_state(store)
        return state | {"_optimizer_state": (slots, optimizer.progress())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        slots, progress = state.pop("_optimizer_state")
        names = {"classes": "_classes"}  # as it was kept before it was checked
        self.__dict__.update({names.get(name, name): value for name, value in state.items()})
        self._start_afresh()
        self._take_parts()
        self.restore_optimizer(slots)
        self.optimizer.resume(progress)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._start_afresh()
        for name in ("_store", "layers", "loss", "history", "_classes", "preprocessing", "encoder"):
            setattr(twin, name, copy.deepcopy(getattr(self, name), memo))
        twin.optimizer = copy.copy(self.optimizer)
        twin.optimizer.resume(self.optimizer.progress())
        twin._take_parts()
        if self._store is not None:
            twin.restore_optimizer(self.optimizer.saved_state(self._store))
        return twin

    def averaged(self) -> Self:
        """A copy whose weights are the moving average that the optimizer keeps, `Adam(ema=0.999)` say. Validations
        during `fit` are of the average, this model's own weights go on as they are."""
        if self.optimizer.ema is None:
            raise ValueError(
                f"got {type(self.optimizer).__name__} without a moving average, expected one: "
                f"{type(self.optimizer).__name__}(ema=0.999)"
            )
        twin = copy.deepcopy(self)
        twin.store.values[: twin.store.trained] = twin.optimizer.average(twin.store)
        return twin
