"""The weights that a fit goes back to, in a file where they are many."""

import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnxp
from nnxp.errors import NonFiniteLossError
from nnxp.training import keeping
from nnxp.training.keeping import Kept

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 8)).astype("float32"), RNG.integers(0, 3, 64)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every copy is large; the files that were made."""
    made, make = list[Any](), tempfile.TemporaryFile

    def making(*arguments: Any, **keywords: Any) -> Any:
        file = make(*arguments, **keywords)
        if keywords.get("buffering") == 0:  # others make some too
            made.append(file)
        return file

    monkeypatch.setattr(keeping, "LARGE", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", making)
    return made


def network(**options: Any) -> nnxp.Sequential:
    layers = [nnxp.Dense(8, 16), "relu", nnxp.Dense(16, 3), "softmax"]
    return nnxp.Sequential(layers, "categorical_crossentropy", backend="numpy", seed=0, **options)


def broken(state: Any) -> None:
    """In the third epoch the weights become infinite."""
    if state.epoch == 2:
        state.model.layers[0].weights = np.full((8, 16), np.inf)


broken.events = ("step",)  # type: ignore[attr-defined]


def test_a_fit_goes_back_to_what_lies_in_the_file(files: list[Any]) -> None:
    model, whole = network(), network()
    with pytest.raises(NonFiniteLossError):
        model.fit(X, Y, epochs=5, batch_size=16, callbacks=[broken], progress=False)
    assert len(files) == 1 and files[0].closed
    whole.fit(X, Y, epochs=2, batch_size=16, progress=False)
    assert np.isfinite(model.store.values).all() and model.epoch == 2
    assert model.store.values.tobytes() == whole.store.values.tobytes()  # those that the third epoch began with
    assert len(files) == 2 and files[1].closed


def test_a_file_of_the_model_is_the_same_from_either_copy(files: list[Any], tmp_path: Path) -> None:
    """And the fit goes on from it."""

    def trained(path: Path) -> nnxp.Sequential:
        model = network()
        model.fit(
            X, Y, epochs=2, batch_size=16, callbacks=[nnxp.callbacks.Checkpoint(path, every_steps=1)], progress=False
        )
        return model

    def tensors(path: Path) -> dict[str, bytes]:
        reader = pytest.importorskip("safetensors.numpy", reason="the library reads what was written")
        return {name: a.tobytes() for name, a in reader.load_file(path).items()}

    trained(tmp_path / "file.safetensors")
    assert files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "LARGE", 2**60)
        trained(tmp_path / "memory.safetensors")
    assert tensors(tmp_path / "file.safetensors") == tensors(tmp_path / "memory.safetensors")


def test_without_a_folder_or_without_room_the_copy_is_in_memory(
    files: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = network().store
    kept, first = Kept(store), store.values.copy()
    assert kept.array is None and kept.read().tobytes() == first.tobytes()

    class Full:
        """A file on a disk that is full."""

        def __getattr__(self, name: str) -> Any:
            return getattr(files[0], name)

        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    kept._file = Full()
    store.values[...] *= 2
    kept.keep(store.values)
    store.values[...] = 0
    kept.put_back()
    assert kept.array is not None and files[0].closed
    assert store.values.tobytes() == (2 * first).tobytes()

    def nowhere(**keywords: Any) -> Any:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", nowhere)
    assert Kept(store).read().tobytes() == store.values.tobytes()


def test_a_file_takes_a_part_at_a_time(files: list[Any]) -> None:
    """What the system writes or reads of it at once is its own affair."""
    store = network().store
    kept, first = Kept(store), store.values.copy()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(files[0], name)

        def write(self, data: Any) -> int:
            return int(files[0].write(data[:100]))

        def readinto(self, data: Any) -> int:
            return int(files[0].readinto(data[:7]))

    kept._file = Slow()
    kept.keep(3 * first)
    kept.put_back()
    assert store.values.tobytes() == (3 * first).tobytes()
    kept.close()


def test_a_fit_holds_no_second_copy_of_large_weights() -> None:
    """Values, gradients and Adam's two are all that is as large as the parameters."""
    model = nnxp.Sequential(
        [nnxp.Dense(8, 1 << 16), "relu", nnxp.Dense(1 << 16, 1)], "mean_squared_error", backend="numpy", seed=0
    )
    y, size = Y.astype("float32"), 4 * model.store.values.size
    model.train_step(X[:1], y[:1])
    tracemalloc.start()
    try:
        model.fit(X[:2], y[:2], epochs=2, batch_size=1, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > keeping.LARGE and peak < size / 2  # the values, gradients and slots were there before
