"""The base class of layers: what a layer declares, and the doors around its two methods."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from nnxp import random
from nnxp.backends import get_backend, library_of
from nnxp.errors import NotComputedError
from nnxp.layers.parts import Whole, with_parts
from nnxp.layers.views import Gradient, Parameter
from nnxp.layers.wrapping import backward_door, forward_door, no_array
from nnxp.memory.buffers import Buffers
from nnxp.memory.parameters import Entry, Owner, ParameterStore
from nnxp.typing import Array, ArrayLike, HostArray, Kernel


class Layer(Whole):
    """A differentiable function of a batch: forward, and backward beside it.

    A layer of your own is a subclass with these two methods. Inside them arrays are of the layer's
    backend, `(n, n_in)` and of one dtype; `nnxp.check_gradients` says whether they agree.

    A layer may hold layers, as attributes, alone or in a list or tuple: they are its parts, trained, counted and saved
    with it, and its two methods call theirs (see `nnxp.Residual`). They stay once a model has them.

    Attributes
    ----------
    parameters : tuple of str
        Names of the trained arrays. Assign each in `__init__`; the gradient of `scale` is `dscale`. A name that ends in
        "biases" or "gains" is one that weight decay may leave out.
    untrained : tuple of str
        Names of arrays that the layer keeps beside them and changes itself, such as running means: part of the
        store and of the model's file, with no gradient. Assign or draw them likewise.
    options : tuple of str
        Names of the constructor's keywords, kept as attributes: what a model file stores.
    reads : tuple of str
        What `backward` reads besides its argument: "inputs", "output".
    inputs, output, dinputs : Array
        (n, n_in), (n, n_out), (n, n_in): kept of what comes in and what the two methods return; assignable.
    trainable : bool
        True. False freezes the layer and its parts from the next training on: their parameters get no update and no
        decay, are outside `clip_norm`, penalties, `ema` and L-BFGS, and a frozen `BatchNorm` normalises by its running
        means, which stay. In a model's step it computes no gradients of its parameters, and none at all before the
        first layer that is trained. In a running `fit`, setting it raises RuntimeError.
    factors : dict of float or None
        What an optimizer's learning rate is multiplied by, by the names of its own parameters: {"scale": 6}. It is
        assigned before they have a place in a store, in `__init__` say.

    Examples
    --------
    >>> import nnxp
    >>> class Scale(nnxp.Layer):
    ...     parameters, options = ("scale",), ("n",)
    ...     def __init__(self, n):
    ...         super().__init__()
    ...         self.n = n
    ...         self.scale = [[1.0] * n]
    ...     def forward(self, inputs, training=False):
    ...         return inputs * self.scale
    ...     def backward(self, dvalues):
    ...         self.dscale = self.kernel("column_sums")(dvalues * self.inputs)
    ...         return dvalues * self.scale
    >>> nnxp.check_gradients(Scale(2), [[1.0, 2.0], [3.0, 4.0]]).passed
    True
    """

    untrained: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ("inputs",)
    _forward: ClassVar[Callable[..., Array]]
    _backward: ClassVar[Callable[..., Array]]

    inputs: Array
    output: Array
    dinputs: Array

    initializer_before: ClassVar[str | None] = "glorot_uniform"
    """The initializer that suits a dense layer in front of this one; None leaves it to the next layer."""
    seed: int | None = None
    moment: tuple[Any, ...] | None = None  # (layer, epoch, step), while a model runs
    needs_dinputs = needs_gradients = True  # of its inputs, of its parameters: in a model's step perhaps not
    buffers = Buffers()
    _lent: tuple[str, ...] = ()  # methods that stand in for its own while several processes train it
    _assigned: dict[str, Any]
    _missing: str = "call {method} first"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in cls.__dict__.get("parameters", ()):
            setattr(cls, name, Parameter(name))
            setattr(cls, "d" + name, Gradient(name))
        for name in cls.__dict__.get("untrained", ()):
            setattr(cls, name, Parameter(name))
        if "forward" in cls.__dict__:
            forward = cls.__dict__["forward"]
            takes_training = "training" in inspect.signature(forward).parameters
            cls._forward = forward if takes_training else lambda self, x, training: forward(self, x)
            cls.forward = forward_door(forward, cls._forward)  # type: ignore[method-assign]
        if "backward" in cls.__dict__:
            cls._backward = cls.__dict__["backward"]
            cls.backward = backward_door(cls.__dict__["backward"])  # type: ignore[method-assign]

    def forward(self, inputs: ArrayLike, training: bool = False) -> Array:
        """Sets and returns `output`, (n, n_out)."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, inputs, training=False)")

    def backward(self, dvalues: ArrayLike) -> Array:
        """Sets the parameters' gradients and `dinputs`, (n, n_in), from the loss's gradient by `output`."""
        raise NotImplementedError(f"{type(self).__name__} defines no backward(self, dvalues)")

    def __getattr__(self, name: str) -> Any:
        if name == "_assigned":
            self._assigned = {}
            return self._assigned
        if name in ("inputs", "output", "dinputs", *self.reads):
            method = "backward(dvalues)" if name == "dinputs" else "forward(inputs)"
            raise NotComputedError(f"{type(self).__name__} has no {name}: " + self._missing.format(method=method))
        if name.startswith("d") and name[1:] in self.parameters:  # what `Gradient` raised ends here
            raise NotComputedError(f"{type(self).__name__} has no {name} yet: call backward(dvalues) first")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no model and shares no buffers."""
        left_out = {"_missing", "buffers", "moment", "needs_dinputs", "needs_gradients", *self._lent}
        return {name: value for name, value in super().__getstate__().items() if name not in left_out}

    def output_width(self, n_in: int | None) -> int | None:
        """The number of outputs for `n_in` inputs; None where it cannot be told. Raises where they do not fit."""
        return n_in

    def config(self) -> dict[str, Any]:
        """The class and its options, as JSON can hold them."""
        return {"class": type(self).__name__, **self._said()}

    def stored(self) -> tuple[str, ...]:
        """The names of all arrays that the layer has in a store, trained or not."""
        return self.parameters + self.untrained

    @property
    def _computes_in(self) -> str | None:
        return self.dtype if self.stored() else self._dtype

    @property
    def store(self) -> ParameterStore:
        """The flat store that holds the parameters: the layer's own, made when first needed, or its model's."""
        model = self.model
        if self._store is None and model is not None:
            _ = model.store  # to look at a parameter is not to draw it without the model's seed
        elif self._store is None:
            places = [*with_parts([self])]
            entries = [entry for position, layer in places for entry in layer.entries(position)]
            store = ParameterStore(self.backend, self.dtype, entries)
            for position, layer in places:
                layer._on(self.backend, self.dtype).bind(store, position, self.seed)
        assert self._store is not None
        return self._store

    def gradient(self, name: str) -> Array:
        """The view that the gradient of parameter `name` is to be written into."""
        return self.store.gradient(self.position, name)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each stored array: by default that of the value assigned in `__init__`."""
        for name in self._unassigned():
            raise ValueError(
                f"{type(self).__name__} declares the parameter {name!r} but never assigns it: do so in __init__"
            )
        return {name: tuple(self._assigned[name].shape) for name in self.stored()}

    def _unassigned(self) -> list[str]:
        """The stored arrays that nobody assigned and that the layer does not draw."""
        draws = type(self).initial is not Layer.initial
        return [name for name in self.stored() if name not in self._assigned and not draws]

    def initial(self, name: str, key: int, following: "Layer | None") -> HostArray:
        """A host array of initial values for a parameter that nobody assigned, from a key of `nnxp.random`."""
        raise NotImplementedError(f"{type(self).__name__} assigns no {name} and draws none")

    def entries(self, position: Owner) -> list[Entry]:
        """What the layer keeps in a store, as its owner `position`."""
        kinds = {name: "biases" if name.endswith(("biases", "gains")) else "weights" for name in self.parameters}
        layer, own = type(self).__name__, self.factors or {}
        shapes = self.shapes().items()
        return [Entry(position, name, shape, kinds.get(name, "state"), layer, own.get(name)) for name, shape in shapes]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each stored array, drawn or not."""
        if self._store is None:
            return self.parameter_shapes() if self.stored() else {}
        return {name: tuple(self._store.view(self.position, name).shape) for name in self.stored()}

    def join(self, model: Any) -> None:
        """Becomes part of a model; raises where it is part of another that still exists."""
        super().join(model)
        self._hold()
        self._missing = (
            "the training step does not compute it, or nothing has run yet; model.forward(X) and then "
            "model.backward(y) run layer by layer and keep everything"
        )

    def bind(self, store: ParameterStore, position: Owner, seed: int | None, following: "Layer | None" = None) -> Self:
        """Moves the parameters into `store`: those drawn or assigned keep their values, others are drawn.

        Parameters
        ----------
        store
            A store with this layer's `entries(position)`.
        position
            The layer's index in its model, or a part's position (see `with_parts`).
        seed
            The model's seed; None draws from fresh entropy.
        following
            The next layer: what initializer suits depends on it.
        """
        old, old_position = self._store, self.position
        seed = random.fresh_seed() if seed is None else seed
        for number, name in enumerate(self.stored()):
            if old is not None:
                value = old.view(old_position, name)
            elif name in self._assigned:
                value = self._assigned[name]
            else:
                value = self.initial(name, random.key(seed, "weights", position, number), following)
            if library_of(value) != "numpy" and not store.backend.owns(value):
                value = get_backend(value).to_numpy(value)
            store.write(store.view(position, name), value, name)
        if old is not None:
            store.former.extend([old.token, *old.former])
        return self.attach(store, position)

    def attach(self, store: ParameterStore, position: Owner) -> Self:
        """Takes `store` as it is: what it holds at `entries(position)` are the parameters' values."""
        self._hold()
        store.freeze(position, not self.trainable)
        self._store, self.position, self._backend = store, position, store.backend
        self._dtype = store.dtype if self.stored() else self._dtype
        self._assigned = {}
        return self

    def adopt(self, name: str, value: HostArray, members: int = 1) -> None:
        """Takes an array of the right shape, not a copy of it, as a parameter's value until the layer has a store; of
        several members, all of theirs."""
        (self._assigned if members == 1 else self.__dict__.setdefault("_of_members", {}))[name] = value

    def _assign(self, name: str, value: ArrayLike) -> None:
        if library_of(value) == "numpy":
            value = np.array(value)  # a host value decides no backend: it moves in where the layer goes
        else:
            value = self._enter(value).asarray(value, dtype=self.dtype, copy=True)
        expected, members = self._declared_shape(name), getattr(self.model, "members", 1)
        if members > 1 and expected is not None and tuple(value.shape) == (members, *expected):
            return self.adopt(name, value, members)
        if expected is not None and tuple(value.shape) != expected and (1, *value.shape) != expected:
            raise ValueError(f"got {name} of shape {tuple(value.shape)}, expected {expected}")
        self._assigned[name] = value

    def _declared_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape that a value assigned to a parameter must have; None takes any."""
        return None

    # --- running -----------------------------------------------------------------------------------

    def kernel(self, name: str) -> Kernel:
        """A named kernel of the backend."""
        return self.backend.kernels[name]

    def take(self, name: str, shape: tuple[int, ...], dtype: str | None = None) -> Array | None:
        """Where to write the result `name`: None makes a kernel return a new array."""
        return self.buffers.take(self, name, shape, dtype)

    def run_forward(self, inputs: Array, training: bool) -> Array:
        """`forward` past the door: the caller has checked the inputs."""
        return self._forwarded(inputs, type(self)._forward(self, inputs, training))

    def run_backward(self, dvalues: Array) -> Array | None:
        """`backward` past the door."""
        return self._backwarded(type(self)._backward(self, dvalues))

    def _forwarded(self, inputs: Array, output: Array | None) -> Array:
        """Keeps what a forward took and gave, also where a layer of the user's own did not."""
        if output is None:
            raise no_array(self, "forward", "output")
        own = self.__dict__  # what runs in a step goes past the check of an attribute's name
        own["inputs"], own["output"] = inputs, output
        return output

    def _backwarded(self, dinputs: Array | None) -> Array | None:
        """Keeps what a backward gave, and that the gradients are there."""
        if dinputs is not None:
            self.__dict__["dinputs"] = dinputs
        elif self.needs_dinputs:
            raise no_array(self, "backward", "dinputs")
        if self.parameters and self.needs_gradients:
            self.store.computed.add(self.position)
        return dinputs
