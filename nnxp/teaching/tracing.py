"""A layer or a loss run on letters instead of numbers: what it computes, as expressions.

Nothing is said here of what a dense layer or a softmax computes. Their own `forward` and `backward` run on arrays of
symbols, with the kernels of `nnxp.kernels.reference` and the formulas of `nnxp.kernels.formulas`, so that what is
written on a page is what is computed.
"""

import copy
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnxp.backends import Backend, get_backend
from nnxp.kernels import vocabulary
from nnxp.kernels.graph import COMPARISONS, Graph, Node, Symbol
from nnxp.kernels.reference import reference
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.memory.buffers import Buffers
from nnxp.teaching.expressions import evaluated
from nnxp.teaching.notation import Letter
from nnxp.typing import Array, HostArray, Kernel

LONGEST = 128
"""Rows or columns of an array of which expressions are made: a sum of more is no formula to read."""


class Unwritten(TypeError):
    """What no expressions are made of, and why."""


class Letters(np.ndarray[Any, Any]):
    """An array of symbols, which says that it is of a dtype of numbers: what a loss asks for its smallest one."""

    told: Any = None

    def __array_finalize__(self, made_from: Any) -> None:
        self.told = getattr(made_from, "told", None)

    @property
    def dtype(self) -> Any:
        """That of the numbers."""
        return self.told


for _name in COMPARISONS:  # NumPy's own want to know whether they hold
    _compare = np.frompyfunc(getattr(operator, _name), 2, 1)
    setattr(Letters, f"__{_name}__", lambda self, other, compare=_compare: compare(self, other))


@dataclass
class Trace:
    """The letters of one layer or loss, their values, and the backend that computes with them.

    Attributes
    ----------
    values : dict
        Each letter's number.
    named : list
        Intermediate results that got a letter of their own, a row's maximum say, with their expressions.
    """

    dtype: str
    graph: Graph = field(default_factory=lambda: Graph("step", {}))
    values: dict[Node, float] = field(default_factory=dict)
    named: list[tuple[Node, Node]] = field(default_factory=list)

    @functools.cached_property
    def backend(self) -> "Backend":
        """On which a layer computes with letters."""
        xp = Words(self)
        return OnLetters("numpy", xp, "cpu", self.dtype, reference(xp), get_backend)

    def letters(self, name: str, values: HostArray) -> Letters:
        """An array of letters for numbers."""
        if max(values.shape, default=0) > LONGEST:
            raise Unwritten(f"{name} is wider or longer than {LONGEST}")
        found = np.empty(values.shape, dtype=object)
        for place in np.ndindex(*values.shape):
            found[place] = self.letter(Letter(name, tuple(i + 1 for i in place)), float(values[place]))
        letters = found.view(Letters)
        letters.told = np.dtype(self.dtype)
        return letters

    def letter(self, letter: Letter, value: float) -> Symbol:
        """One letter."""
        node = self.graph.node("parameter", value=letter, shape="scalar")
        self.values[node] = value
        return Symbol(self.graph, node)

    def name(self, letter: str, symbols: Sequence[Any]) -> list[Any]:
        """Letters for expressions that others are made of."""
        made = []
        for symbol in symbols:
            node = self.node(symbol)
            number = len(self.named) + 1
            made.append(self.letter(Letter(letter, (number,)), evaluated(node, self.values)))
            self.named.append((self.node(made[-1]), node))
        return made

    def node(self, found: Any) -> Node:
        """The expression of an element."""
        if isinstance(found, Node):
            return found
        return found._node if isinstance(found, Symbol) else self.graph.constant(float(found))

    def layer(self, layer: Layer, arrays: Mapping[str, HostArray]) -> Layer:
        """A copy of a layer whose parameters are letters. Raises `Unwritten` where it has parts."""
        if layer._found():
            raise Unwritten("it has layers of its own")
        twin = copy.copy(layer)
        twin.__dict__.update(
            _backend=self.backend, _dtype=self.dtype, buffers=Buffers(), moment=layer.moment, needs_gradients=True
        )
        twin.__dict__["_store"] = _Store({name: self.letters(name, values) for name, values in arrays.items()})
        return twin

    def loss(self, loss: Loss) -> Loss:
        """A copy of a loss that takes letters."""
        twin = copy.copy(loss)
        twin.__dict__.update(_backend=self.backend, buffers=Buffers())
        return twin


class _Store:
    """What a layer on letters has for a store."""

    def __init__(self, views: dict[str, Letters]) -> None:
        self.views = views
        self.gradients = {name: np.empty(view.shape, dtype=object) for name, view in views.items()}
        self.computed: set[Any] = set()

    def view(self, owner: Any, name: str) -> Letters:
        """The parameter."""
        return self.views[name]

    def gradient(self, owner: Any, name: str) -> Array:
        """Where its gradient goes."""
        return self.gradients[name]


class OnLetters(Backend):
    """NumPy's backend on arrays of symbols."""

    def fuse(
        self, formula: Callable[..., Any], into: Sequence[str] = (), column_sums: bool = False, **fixed: Any
    ) -> Kernel:
        """The formula, element by element."""

        def kernel(*args: Any, out: Any = None) -> Any:
            outputs = max(1, len(into))
            found = np.frompyfunc(lambda *elements: formula(*elements, **fixed), len(args), outputs)(*args)
            if into:
                args[0][...] = found
            return found

        return kernel


class Words:
    """NumPy's namespace on arrays of symbols: what of it does not take them stands here."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        for word in vocabulary.WORDS:
            function = getattr(vocabulary, word)
            arguments = {"maximum": 2, "minimum": 2, "where": 3}.get(word, 1)
            setattr(self, word, np.frompyfunc(function, arguments, 1))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def astype(self, a: Array, dtype: Any) -> Array:
        """Numbers of a dtype; what has letters stays."""
        return a if np.asarray(a, dtype=object).dtype == a.dtype else np.astype(a, np.float64)

    def sum(self, a: Array, axis: int | None = None, keepdims: bool = False) -> Any:
        """Sums."""
        a, add = np.asarray(a), np.add.reduce
        if axis is None:
            return add(a.reshape(-1))
        return add(a, axis=axis, keepdims=True) if keepdims else add(a, axis=axis)

    def mean(self, a: Array, axis: int | None = None, keepdims: bool = False) -> Any:
        """Means."""
        count = a.size if axis is None else a.shape[axis]
        return self.sum(a, axis, keepdims) / count

    def max(self, a: Array, axis: int, keepdims: bool = False) -> Array:
        """The largest of each row, which gets a letter."""
        rows = [functools.reduce(vocabulary.maximum, row) for row in np.asarray(a)]
        found = np.empty(len(rows), dtype=object)
        for i, letter in enumerate(self._trace.name("m", rows)):
            found[i] = letter
        return found[:, None] if keepdims else found

    def asarray(self, a: Any, **options: Any) -> Array:
        """An array, of one element where it is one."""
        if isinstance(a, Symbol):
            whole = np.empty((), dtype=object)
            whole[()] = a
            return whole
        return np.asarray(a, **options)
