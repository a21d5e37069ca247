"""What is found out about one backend: a row of the table, and of the JSON document."""

from dataclasses import asdict, dataclass, field
from typing import Any

from nnxp.errors import BackendUnavailableError

PASSED, FAILED, MISSING, RUNNING = "passed", "failed", "not installed", "running"


@dataclass
class Check:
    """One proof: what was measured, and what is allowed. Neither is there where it could not be run."""

    passed: bool
    error: float | None = None
    tolerance: float | None = None
    text: str = ""


@dataclass
class Row:
    """One backend on one device.

    Attributes
    ----------
    name : str
        "numpy", "numpy+fast", "torch", "torch:cuda:0", "cupy", "cupy:1", "array_api_strict".
    status : str
        "passed", "failed" or "not installed".
    error : str or None
        Of a backend that did not pass: why, in one line.
    precision : str
        "float32", or "tf32" where the library is set to round float32 products.
    stage : str
        What was run last.
    versions : dict of str
        Of the array library, and of CUDA's parts and the BLAS where they can be known.
    device : dict
        "name", "gpu" (whether it is one), "compute_capability", "memory_bytes" and "free_bytes", as far as known.
    gradients : Check or None
        `nnxp.check_gradients` on a small model, in float64.
    training : dict of Check
        By dtype: 20 steps, the largest relative difference between the losses and NumPy's.
    counts : dict
        Of one step after two others: "allocations", "launches", "operations", "synchronisations", each a number or
        None where it is not counted, and "how".
    timing : dict
        "step_seconds", "numpy_seconds" (medians, in turn), "batch_size", "layers", and of a GPU "pays_from": the
        batch size from which a step is faster than NumPy's, None if none up to "pays_up_to".
    notes : list of str
        What else should be known: warnings of the library, what could not be run and why.
    """

    name: str
    status: str = RUNNING
    error: str | None = None
    precision: str = "float32"
    stage: str = "import"
    versions: dict[str, str] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    gradients: Check | None = None
    training: dict[str, Check] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Row":
        """The row of a JSON object."""
        row = cls(**document)
        row.gradients = Check(**document["gradients"]) if document["gradients"] else None
        row.training = {dtype: Check(**check) for dtype, check in document["training"].items()}
        return row

    def document(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return asdict(self)

    def judge(self) -> None:
        """Sets the status by the proofs, all of them run."""
        checks = {"gradients": self.gradients, **{f"20 steps in {d}": check for d, check in self.training.items()}}
        wrong = [f"{name}: {check.text}" for name, check in checks.items() if check and not check.passed]
        self.status, self.error = (FAILED, "; ".join(wrong)) if wrong else (PASSED, None)


def one_line(error: BaseException) -> str:
    """An exception in one line, its text alone where that says enough."""
    text = " ".join(str(error).split())
    return text if isinstance(error, BackendUnavailableError) else f"{type(error).__name__}: {text}".rstrip(": ")
