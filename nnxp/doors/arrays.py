"""The doors: where arrays come in, and where everything about them is checked, once."""

import math
import mmap
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from nnxp.backends import Backend, blas, check_dtype, dtype_of, follow, get_backend, library_of
from nnxp.doors.attributes import Declared
from nnxp.doors.calling import Constructed
from nnxp.doors.describing import described
from nnxp.doors.options import LARGEST, beyond, held
from nnxp.doors.sparse import SparseRows
from nnxp.errors import BackendMismatchError
from nnxp.typing import Array, ArrayLike

BLOCK = 2**18
"""Elements that a check looks at once, so that its memory does not grow with the data."""
LARGEST_SQUARE = {"float32": LARGEST["float32"] ** 2, "float64": math.inf, None: math.inf}

ONE_EACH = "give one for each sample; weights of classes are class_weight= of the loss, or of the estimator"
"""What an error says of sample weights that are none."""


class Switch(Declared, Constructed):
    """`backend=` and `dtype=`, with one meaning on every layer, activation, loss, optimizer and model.

    With `backend=` given, lists and NumPy arrays move in. Without it, the first array seen decides, and a
    later one of another library or device is refused.
    """

    default_backend: ClassVar[Any] = None
    _from_model: ClassVar[tuple[str, ...]] = ("seed",)
    """Attributes that a model gives its parts: they tell nothing of one, and its repr leaves them out."""
    _backend: Backend | None = None
    _named = False
    _dtype: str | None = None
    _model: Any = None
    __repr__ = described
    options: ClassVar[tuple[str, ...]] = ()
    """Names of the constructor's keywords, kept as attributes."""
    _on_host: ClassVar[tuple[str, ...]] = ()
    """Those of them that become no numbers of the dtype."""
    _if_given: ClassVar[tuple[str, ...]] = ()
    """Those of them that a file names only where they are not None: files were made before there were any."""

    def __init__(self, backend: Any = None, dtype: str | None = None) -> None:
        spec = self.default_backend if backend is None else backend
        self._dtype = None if dtype is None else check_dtype(dtype)
        if spec is not None:
            self._backend, self._named = get_backend(spec, dtype), True

    @property
    def backend(self) -> Backend:
        """The backend that was named, or that the first array decided; NumPy if neither happened yet."""
        if self._backend is None:
            self._backend = get_backend("numpy", self._dtype)
        return self._backend

    @property
    def dtype(self) -> str:
        """The name of the parameters' dtype."""
        return self._dtype or (self._backend.dtype if self._backend else "float32")

    @property
    def model(self) -> Any:
        """The model this is part of; None where it is by itself."""
        return None if self._model is None else self._model()

    def may_join(self, model: Any) -> None:
        """Raises ValueError where it is part of another model that still exists."""
        if self.model not in (None, model):
            raise ValueError(
                f"this {type(self).__name__} already belongs to another model: give each model one of its own "
                "(copy.deepcopy makes one)"
            )

    def join(self, model: Any) -> None:
        """Becomes part of a model."""
        self.may_join(model)
        self._model = weakref.ref(model)

    @property
    def _computes_in(self) -> str | None:
        """What inputs are cast to; None follows theirs."""
        return self._dtype

    def _enter(self, x: ArrayLike) -> Backend:
        """The backend that x is used on: x decides it, agrees with it, moves into it or is refused."""
        if type(x) is not np.ndarray:
            refuse_sparse(x)
        if self._backend is None:
            self._backend = get_backend(follow(x), self._dtype)
        elif not self._named and not isinstance(x, list | tuple | int | float) and not self._backend.owns(x):
            name, mine = library_of(x), self.backend.name
            if not (name == "numpy" and mine == "numpy"):
                which = f'"{mine}", which lets NumPy arrays move in' if name == "numpy" else f'"{name}"'
                raise BackendMismatchError(
                    f"got an array of {name} on {getattr(x, 'device', 'its device')}, but this {type(self).__name__} "
                    f"follows {mine}, which it saw first: pass an array of {mine}, or build the "
                    f"{type(self).__name__} with backend={which}"
                )
        return self.backend

    def _matrix(self, x: ArrayLike, name: str = "inputs") -> Array:
        """x as (n, m) floats on the backend; a vector is one row."""
        backend = self._enter(x)
        x = backend.asarray(x, dtype=self._computes_in)
        if x.ndim == 1:
            x = x[None, :]
        if x.ndim != 2:
            raise ValueError(
                f"got {name} of shape {tuple(x.shape)}, expected two dimensions, (samples, features): "
                f"{'X.reshape(len(X), -1) flattens each sample' if x.ndim > 2 else 'wrap the number in a list'}"
            )
        self._check_options(dtype_of(x))
        return x

    def _said(self) -> dict[str, Any]:
        """The options that a file names, by their names; a schedule by what makes it again."""
        values = {name: getattr(self, name) for name in self.options}
        given = {name: value for name, value in values.items() if value is not None or name not in self._if_given}
        return {name: value.config() if hasattr(value, "config") else value for name, value in given.items()}

    def _check_options(self, dtype: str) -> None:
        """Raises where an option is a number that the dtype does not hold."""
        for name in self.options:
            value = getattr(self, name, None)
            if name not in self._on_host:
                for number in value.values() if isinstance(value, dict) else (value,):  # which may be one a member
                    held(name, number, dtype)

    def _on(self, backend: Backend, dtype: str, named: bool = False) -> Self:
        """Takes a model's backend and dtype, or says how the two disagree. `named`: the model's was given, so that
        host arrays move in here too."""
        if self._named and self.backend.name != backend.name:
            raise BackendMismatchError(
                f"this {type(self).__name__} uses {self.backend.name}, its model {backend.name}: give backend= to the "
                "model only"
            )
        if self._dtype not in (None, dtype):
            raise ValueError(
                f"this {type(self).__name__} has dtype={self._dtype!r}, its model {dtype!r}: give dtype= to the "
                "model only"
            )
        self._check_options(dtype)
        self._backend, self._named = backend, self._named or named
        return self


def refuse_sparse(x: ArrayLike) -> None:
    """Raises TypeError where x is SciPy's, CuPy's or PyTorch's sparse kind, and says how it becomes dense."""
    if type(x).__module__.startswith(("scipy.sparse", "cupyx.scipy.sparse")):
        raise TypeError(f"got a sparse {type(x).__name__}, expected a dense array: X.toarray()")
    if str(getattr(x, "layout", "torch.strided")) != "torch.strided":
        raise TypeError(f"got a sparse tensor ({x.layout}), expected a dense one: X.to_dense()")


def same_length(n: int, other: int, name: str) -> None:
    """Raises where there is not one entry a sample."""
    if other != n:
        raise ValueError(f"got {other} {name} for {n} samples, expected one for each")


def sample_weights(
    backend: Backend,
    weights: ArrayLike | None,
    n: int,
    dtype: str,
    scan: bool = True,
    some: bool = True,
    members: int = 1,
) -> Array | None:
    """Weights (n,), not negative, finite and, for `some`, not all zero, on the backend; for several members also
    (n, members), none of which has only zeros. `scan=False` does not wait for a device to check the values of weights
    that lie there."""
    if weights is None:
        return None
    own = backend.owns(weights) and backend.library != "numpy"
    given = weights if own else backend._admit(weights, ONE_EACH)
    with np.errstate(over="ignore"):  # what a cast makes infinite is found below
        w = backend.asarray(given, dtype=dtype) if own else np.asarray(given, dtype=dtype, order="C")
    apart = members > 1 and w.ndim == 2
    if tuple(w.shape) != ((n, members) if apart else (n,)):
        also = f", or ({n}, {members}), one for each member" if members > 1 else ""
        raise ValueError(f"got sample_weight of shape {tuple(w.shape)}, expected ({n},): one weight a sample{also}")
    xp: Any = np if isinstance(w, np.ndarray) else backend.xp
    if scan or xp is np:
        with backend.context(), np.errstate(over="ignore"):
            if not bool(xp.all(xp.logical_and(xp.isfinite(w), w >= 0))):
                if (large := lost(xp, given)) is not None and bool(xp.all(w >= 0)):
                    raise beyond("a sample_weight of ", large, dtype)
                raise ValueError("got a sample_weight that is negative or not finite, expected numbers from 0 up")
            if not bool(xp.isfinite(xp.sum(w))):
                raise ValueError(
                    f"got sample_weight whose sum is beyond {dtype}, expected smaller numbers: divide by their mean"
                )
            if some and not bool(xp.all(xp.any(w > 0, axis=0))):
                if bool(xp.all(xp.any(given > 0, axis=0))):
                    raise beyond("a sample_weight of ", float(xp.max(given)), dtype)
                of_a_member = ", of a member" if apart else ""
                raise ValueError(
                    f"got sample_weight that is 0 for every sample{of_a_member}, expected some above 0: nothing would "
                    "be learned, or measured"
                )
    return backend.asarray(w, dtype=dtype)


def some_weight(backend: Backend, w: Array | None) -> None:
    """Raises where every sample's label is ignored, or of a class that weighs nothing, for one of the members too."""
    if w is not None and not bool(backend.xp.all(backend.xp.any(w > 0, axis=0))):
        raise ValueError(
            "got samples that all weigh 0 by their labels, expected some above 0: nothing would be learned, or "
            "measured; see the loss's class_weight and ignore_label"
        )


def finite(backend: Backend, x: Array, name: str, dtype: str | None = None) -> None:
    """Raises where x, cast to `dtype`, holds NaN or infinity, and names the first place."""
    host = isinstance(x, np.ndarray)
    if isinstance(x, SparseRows) or not dtype_of(x).startswith("float"):  # it has looked itself
        return
    xp: Any = np if host else backend.xp
    for rows in blocks(x):
        with backend.context(), blas.for_a_look(backend), np.errstate(all="ignore"):
            block = x[rows, ...]
            if sum_is_finite(block, dtype):
                continue
            if dtype is None:
                good = xp.isfinite(block)
            else:
                good = xp.isfinite(np.asarray(block, dtype=dtype) if host else backend.asarray(block, dtype=dtype))
            if bool(xp.all(good)):
                continue
            row = int(xp.argmin(xp.astype(xp.all(good, axis=1), xp.int8)))
            column = int(xp.argmin(xp.astype(good[row, ...], xp.int8)))
            value = float(block[row, column])
        if dtype is not None and math.isfinite(value):
            raise beyond(f"{name} at row {rows.start + row}, column {column}, of ", value, dtype)
        raise ValueError(
            f"got {name} with NaN or infinity, first at row {rows.start + row}, column {column}: fill or drop such "
            "rows before training"
        )


def lost(xp: Any, x: Array) -> float | None:
    """The largest magnitude of numbers that a cast has made infinite; None where x, as given, is not finite itself."""
    largest = float(xp.max(xp.abs(x)))
    return largest if math.isfinite(largest) else None


def sum_is_finite(block: Array, dtype: str | None = None) -> bool:
    """Whether the sum of squares is finite, which proves it of every element, also when cast to `dtype`, whose
    largest number's square it is below; False proves nothing. BLAS is faster than a closer look."""
    if not isinstance(block, np.ndarray) or not block.flags.c_contiguous:
        return False
    return float(np.vdot(block, block)) < LARGEST_SQUARE[dtype]


def all_finite(backend: Backend, a: Array) -> bool:
    """Whether every value of an array of the backend is finite."""
    with blas.for_a_look(backend):
        if sum_is_finite(a):
            return True
    xp = backend.xp
    return all(bool(xp.all(xp.isfinite(a[rows, ...]))) for rows in blocks(a))


def blocks(x: Array) -> Iterator[slice]:
    """The rows of an array in turn, some `BLOCK` elements at a time."""
    n = int(x.shape[0])
    step = max(1, BLOCK // max(1, int(np.prod(x.shape[1:]))))
    for start in range(0, max(1, n), step):
        yield slice(start, min(n, start + step))


def on_disk(x: Array) -> bool:
    """Whether NumPy reads x from a file when it is asked for it: `np.load(path, mmap_mode="r")`, or a view of one."""
    while isinstance(x, np.ndarray):
        x = x.base
    return isinstance(x, mmap.mmap)
