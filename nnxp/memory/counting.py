"""What to say where memory ends."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up: PyTorch has its own, a `RuntimeError` on the CPU."""
    own = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or own


@contextlib.contextmanager
def counted(values: int, trained: int, dtype: str, slots: Sequence[str], where: str) -> Iterator[None]:
    """What is made inside is a model's: where memory ends, the MemoryError says what the model takes.

    Parameters
    ----------
    values, trained : int
        How many numbers the store has, and how many of them are trained.
    dtype : str
        Theirs.
    slots : sequence of str
        What an optimizer keeps beside them, each an array as large as what is trained: "Adam's momentum", ...
    where : str
        The backend's name.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = np.dtype(dtype).itemsize
        parts = {"the store": values, "gradients": trained} | dict.fromkeys(slots, trained)
        parts |= {"the copy that fit goes back to": values}
        sizes = ", ".join(f"{part} {_bytes(count * size)}" for part, count in parts.items())
        raise MemoryError(
            f"no memory for this model on {where}: its {trained:,} parameters of {dtype} take {_bytes(trained * size)}"
            f", and a training {_bytes(sum(parts.values()) * size)} before any data ({sizes}): use narrower layers"
            + (', dtype="float32"' if dtype == "float64" else "")
            + " or a machine with more memory"
        ) from error


def _bytes(count: int) -> str:
    """A number of bytes, in the unit that suits it."""
    power = min((len(str(count)) - 1) // 3, len(UNITS) - 1)
    return f"{count / 1000**power:.3g} {UNITS[power]}"
