"""Trainings that several processes have to do as one does, and what they come to.

`mpirun -n 2 python -m tests.distributed.cases` runs all of them, or those that are named, each process beside itself
alone.
"""

import functools
import sys
from typing import Any, NamedTuple

import numpy as np

import nnxp
from nnxp import BatchNorm, Dense, Dropout, ReLU, Residual, SharedDense, Softmax
from nnxp.cli.launching import launched
from nnxp.distributed import ByMember, InOrder

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(101, 5)), RNG.integers(0, 3, 101)
WEIGHTS = RNG.uniform(0, 2, 101) * (np.arange(101) >= 40)  # 0 for whole parts of batches that are not shuffled
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def plain() -> list[Any]:
    return [Dense(5, 16, l2=1e-3, bias_l2=1e-3), ReLU(), Dense(16, 3, l1=1e-3), Softmax()]


def dropped() -> list[Any]:
    return [Dropout(0.1), Dense(5, 16), ReLU(), Dropout(0.3), Dense(16, 3), Softmax()]


def normalised() -> list[Any]:
    return [BatchNorm(5), Dense(5, 16), BatchNorm(16), ReLU(), Dense(16, 3), Softmax()]


def nested() -> list[Any]:
    inner = [Dense(16, 16, l2=1e-2), BatchNorm(16), ReLU(), Dropout(0.2), Dense(16, 16)]
    return [Dense(5, 16), Residual(inner), ReLU(), Dense(16, 3), Softmax()]


def blocks() -> list[Any]:
    """One that takes row by row and one that has to know its rows."""
    first, second = [Dense(5, 16, l2=1e-2), ReLU(), Dense(16, 16)], [Dense(16, 16, l1=1e-3), ReLU(), Dropout(0.2)]
    return [Residual(first), Residual(second), ReLU(), Dense(16, 3), Softmax()]


def penalised() -> list[Any]:
    return [Dense(5, 16, l2=[1e-3, 1e-2]), ReLU(), Dense(16, 3, l1=1e-3), Softmax()]


class Own(nnxp.Layer):
    """A user's, which holds layers that have to know their rows."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = BatchNorm(16), Dropout(0.2)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.output = self.dropout.run_forward(self.norm.run_forward(inputs, training), training)
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = self.norm.run_backward(self.dropout.run_backward(dvalues))
        return self.dinputs

    def output_width(self, n_in: int) -> int:
        return n_in


def own() -> list[Any]:
    return [Dense(5, 16), ReLU(), Own(), Residual([Dense(16, 16), Own()]), Dense(16, 3), Softmax()]


def shared() -> list[Any]:
    first = SharedDense(5, 16, input_initializer="random_signs")
    return [first, ReLU(), Dropout(0.2), SharedDense(16, 16), ReLU(), Dense(16, 3), Softmax()]


def wide() -> list[Any]:
    """Of so many gradients that they are added up where they are, and that each process updates a part."""
    return [Dense(5, 128, l2=1e-3), ReLU(), Dense(128, 128), ReLU(), Dense(128, 3), Softmax()]


class Case(NamedTuple):
    layers: Any
    optimizer: Any
    options: dict[str, Any]
    dtypes: tuple[str, ...] = ("float32", "float64")
    loss: Any = "categorical_crossentropy"
    members: int = 1
    spread: bool = False
    """Whether processes share the members instead of the rows."""


def momentum() -> Any:
    return nnxp.SGD(0.05, momentum=0.9)


def gentle() -> Any:
    """Whose trainings do not blow rounding up: `BatchNorm` divides by the deviation of two rows."""
    return nnxp.SGD(0.01, momentum=0.9)


def adam(**options: Any) -> Any:
    return lambda: nnxp.Adam(0.01, **options)


DOUBLE = ("float64",)
CLASS_WEIGHTS = nnxp.CategoricalCrossentropy(class_weight=[0.0, 1.0, 3.0])
# 101 rows in batches of 33 end with one of two rows: of three processes one has none.
CASES = {
    "momentum": Case(plain, momentum, {"batch_size": 32}),
    "adam": Case(plain, adam(), {"batch_size": 33}),
    "clipped": Case(plain, adam(clip_norm=0.1, clip_value=0.05), {"batch_size": 33}),
    "wide": Case(wide, lambda: nnxp.SGD(0.01, momentum=0.9, clip_norm=1.0), {"batch_size": 33}),
    "in parts": Case(wide, adam(ema=0.9, clip_value=0.05), {"batch_size": 33, "validation_split": 0.3}, DOUBLE),
    "dropout": Case(dropped, adam(), {"batch_size": 33}),
    "class weights": Case(plain, adam(), {"batch_size": 33}, loss=CLASS_WEIGHTS),
    "sample weights": Case(dropped, adam(), {"batch_size": 33, "sample_weight": WEIGHTS}),
    "no weights in a part": Case(plain, momentum, {"batch_size": 33, "sample_weight": WEIGHTS, "shuffle": False}),
    "two rows": Case(dropped, momentum, {"batch_size": 2, "epochs": 2}),
    "a batch": Case(dropped, momentum, {"batch_size": 200}),
    "left out": Case(plain, momentum, {"batch_size": 33, "drop_last": True}),
    "batch norm": Case(normalised, gentle, {"batch_size": 33}, DOUBLE),
    "batch norm, weights": Case(normalised, gentle, {"batch_size": 33, "sample_weight": WEIGHTS}, DOUBLE),
    "batch norm, one row left": Case(normalised, gentle, {"batch_size": 25}, DOUBLE),
    "nested": Case(nested, gentle, {"batch_size": 32}, DOUBLE),
    "blocks": Case(blocks, gentle, {"batch_size": 33, "sample_weight": WEIGHTS}, DOUBLE),
    "micro": Case(plain, adam(), {"batch_size": 33, "micro_batch_size": 7, "sample_weight": WEIGHTS}),
    "validated": Case(plain, adam(ema=0.9), {"batch_size": 33, "validation_data": (X[:7], Y[:7], WEIGHTS[40:47])}),
    "held out": Case(plain, adam(), {"batch_size": 33, "validation_split": 0.3}),
    "members": Case(dropped, adam(ema=0.9), {"batch_size": 33, "validation_split": 0.3}, members=3),
    "members, batch norm": Case(nested, gentle, {"batch_size": 32, "sample_weight": WEIGHTS}, DOUBLE, members=2),
    "members, blocks": Case(blocks, gentle, {"batch_size": 33}, DOUBLE, members=2),
    "members, penalised": Case(penalised, momentum, {"batch_size": 33, "micro_batch_size": 7}, DOUBLE, members=2),
    "members, own": Case(own, gentle, {"batch_size": 32}, DOUBLE, members=2),
    "members, shared": Case(
        shared, adam(clip_norm=0.1), {"batch_size": 33, "sample_weight": WEIGHTS}, DOUBLE, members=2
    ),
    "spread": Case(dropped, adam(ema=0.9), {"batch_size": 33, "validation_split": 0.3}, members=4, spread=True),
    "spread, nested": Case(
        nested, gentle, {"batch_size": 32, "sample_weight": WEIGHTS}, DOUBLE, members=4, spread=True
    ),
    "minimised": Case(plain, nnxp.LBFGS, {"batch_size": 40, "sample_weight": WEIGHTS, "epochs": 5}),
}


IN_ORDER = ("sample weights", "micro", "validated", "clipped", "blocks")
"""Those that 1, 2 and 4 processes are to do to the bit, where they are asked to."""


SHARDED = ("batch norm, weights", "dropout", "validated")
"""Those that are done on shards too."""
STREAMED = ("dropout", "validated")
"""Those that are done on iterables of batches too, that all processes have or their own parts of."""
CUTS = {1: (0, 101), 2: (0, 30, 101), 3: (0, 0, 64, 101), 4: (0, 50, 50, 51, 101)}
"""Where the shards of so many processes begin and end: of different sizes, and without rows."""


def outcome(
    case: Case, dtype: str, communicator: Any, backend: Any = None, sharded: bool = False, streamed: bool = False
) -> dict[str, Any]:
    """What a training comes to, on all of the data or on shards: every number that a user sees, and the weights.

    Streamed, the data are iterables of batches, and shards are parts of each batch.
    """
    losses = []

    def step(state: Any) -> None:
        losses.append(state.loss)

    step.events = ("step",)  # type: ignore[attr-defined]
    place = {"dtype": dtype, "seed": 3, "backend": backend, "members": case.members}
    place["communicator"] = ByMember(communicator) if communicator and case.spread else communicator
    model = nnxp.Sequential(case.layers(), case.loss, case.optimizer(), **place)
    rows = 101 * (1 - case.options.get("validation_split", 0))
    steps = int(rows // case.options["batch_size"]) or 1  # an epoch has as many, or one more
    options = {"epochs": -(-100 // steps), **case.options}
    given = {"X": X, "y": Y, "sample_weight": options.pop("sample_weight", None)}
    batched = functools.partial(batches, communicator if sharded else None)
    if streamed:
        given = {"X": batched(*given.values(), size=options.pop("batch_size"))}
        if "validation_data" in options:
            options["validation_data"] = batched(*options["validation_data"], size=5)
    elif sharded:
        given = {"X": shard(communicator, *given.values())}
        if "validation_data" in options:
            options["validation_data"] = shard(communicator, *options["validation_data"])
    history = model.fit(**given, callbacks=[step], **options)
    found = {f"history {name}": values for name, values in history.items() if name != "seconds"}
    weights = model.backend.to_numpy(model.store.values)
    if streamed:
        evaluated = model.evaluate(batched(X, Y, size=40))
    else:
        evaluated = model.evaluate(shard(communicator, X, Y)) if sharded else model.evaluate(X, Y)
    return {"losses": losses, **found, **evaluated, "weights": weights}


def shard(communicator: Any, *arrays: Any) -> nnxp.Shard:
    n, rank = len(arrays[0]), communicator.rank
    start, stop = (n * cut // 101 for cut in CUTS[communicator.size][rank : rank + 2])
    return nnxp.Shard(*(None if a is None else a[start:stop] for a in arrays))


def batches(communicator: Any, *arrays: Any, size: int) -> Any:
    """Batches of rows as they stand; of a process, its part of each."""
    whole = [[None if a is None else a[k : k + size] for a in arrays] for k in range(0, len(arrays[0]), size)]
    if communicator is None:
        return whole
    shards = [shard(communicator, *batch) for batch in whole]
    return nnxp.Shard([(own.X, own.y, own.sample_weight) for own in shards])


def compare(got: dict[str, Any], expected: dict[str, Any], tolerance: float) -> str:
    """Where the two differ by more, in words; "" where nowhere."""
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        if name == "weights":  # Adam divides gradients of rounding by themselves
            continue
        error = float(np.max(np.abs(np.asarray(got[name]) - np.asarray(values))))
        if not error <= tolerance:
            return f"{name}: {error:.1e} > {tolerance}"
    return ""


def same_bits(got: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether every number is the same, and the weights are."""
    return all(np.array_equal(np.asarray(got[name]), np.asarray(values)) for name, values in expected.items())


class ByAll(nnxp.distributed.OverMPI):
    """Whose processes update all parameters each."""

    def common(self, n: int, dtype: str) -> None:
        return None


def main() -> None:
    from mpi4py import MPI

    world = nnxp.distributed.OverMPI(MPI.COMM_WORLD)
    assert (world.rank, world.size) == launched()
    names = sys.argv[1:] or [*CASES]
    for name in names:
        for dtype in (case := CASES[name]).dtypes:
            got = outcome(case, dtype, world)
            weights = world.gather(got["weights"])
            assert all((a == weights[0]).all() for a in weights), f"{name}: processes have other weights"
            said = compare(got, outcome(case, dtype, None), TOLERANCE[dtype])
            assert not said, f"{name}, {dtype}: {said}"
            if name == "in parts":
                assert same_bits(got, outcome(case, dtype, ByAll(MPI.COMM_WORLD))), f"{name}, {dtype}"
            if name in SHARDED:
                said = compare(outcome(case, dtype, world, sharded=True), got, TOLERANCE[dtype])
                assert not said, f"shards: {name}, {dtype}: {said}"
            if name in STREAMED:
                expected = outcome(case, dtype, None, streamed=True)
                for sharded in (False, True):
                    said = compare(
                        outcome(case, dtype, world, sharded=sharded, streamed=True), expected, TOLERANCE[dtype]
                    )
                    assert not said, f"batches, {sharded=}: {name}, {dtype}: {said}"
            if name == "validated" and world.size in (2, 4):  # the others of IN_ORDER are done by threads
                assert same_bits(outcome(case, dtype, InOrder(world)), outcome(case, dtype, InOrder())), name
    if world.rank == 0:
        print(f"{len(names)} cases on {world.size} processes")


if __name__ == "__main__":
    main()
