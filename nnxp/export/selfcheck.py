"""An ONNX file is run before it is written: one that computes something else than the model does is not."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnxp.errors import ExportError
from nnxp.export.exact import Expected, largest
from nnxp.files.wholefile import whole_file
from nnxp.typing import HostArray

Run = Callable[[Mapping[str, HostArray]], list[HostArray]]
"""Runs a file on its inputs, by their names."""


@dataclass(frozen=True)
class Checked:
    """What the check of a file found.

    Attributes
    ----------
    evaluator : str
        What ran it: "onnxruntime 1.32.0" say, where it is installed, else onnx's reference evaluator.
    rows : int
        How many rows.
    difference : float
        The largest between the file's outputs and the model's own.
    error, own : float
        The largest errors of the file's outputs and of the model's, against the model computed in float64.
    """

    evaluator: str
    rows: int
    difference: float
    error: float
    own: float

    def __str__(self) -> str:
        return (
            f"checked on {self.rows} rows with {self.evaluator}: at most {self.difference:.2g} from predict; from the "
            f"model computed in float64 {self.error:.2g}, and predict's own {self.own:.2g}"
        )


def written(model: Any, path: Any, feeds: Mapping[str, HostArray], expected: Mapping[str, Expected]) -> Checked:
    """Writes an ONNX model to a file, whole or not at all, once it gives what it has to.

    Parameters
    ----------
    model : onnx.ModelProto
    feeds
        Its inputs, rows to check it with.
    expected
        What some of its outputs have to be, by their names.

    Raises
    ------
    ExportError
        It is no valid ONNX, does not run, or its error exceeds 4 times our own + 16 ulp, in the dtype
        of the model, of the largest output.
    OSError
        It cannot be written.
    """
    content = _valid(model)
    evaluator, open_ = evaluator_of()
    names = [output.name for output in model.graph.output]
    try:
        found = dict(zip(names, open_(content)(feeds), strict=True))
    except Exception as cause:  # a runtime raises what it likes
        raise ExportError(f"got an ONNX file that {evaluator} does not run: {cause}") from cause
    scale = max((largest(one.ours) for one in expected.values()), default=0.0)
    compared = [(0.0, 0.0, 0.0), *(_compared(name, found[name], one, scale) for name, one in expected.items())]
    difference, error, own = (max(each) for each in zip(*compared, strict=True))
    rows = max(len(a) for a in feeds.values())
    with whole_file(Path(path), "the ONNX file") as file:
        file.write(content)
    return Checked(evaluator, rows, difference, error, own)


def evaluator_of() -> tuple[str, Callable[[bytes], Run]]:
    """What runs files here, its name first: onnxruntime, else onnx's reference evaluator."""
    if importlib.util.find_spec("onnxruntime") is None:
        import onnx

        return f"the reference evaluator of onnx {onnx.__version__}", _reference
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}", _session


def _reference(content: bytes) -> Run:
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_from_string(content))
    return lambda feeds: evaluator.run(None, dict(feeds))


def _session(content: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, dict(feeds))


def _valid(model: Any) -> bytes:
    """The bytes of a model that keeps to the specification, its shapes too."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"got operators that are no valid ONNX: {error}") from error
    content: bytes = model.SerializeToString()
    return content


def _compared(name: str, found: HostArray, expected: Expected, scale: float) -> tuple[float, float, float]:
    """The largest difference from our own, and both errors; raises ExportError where the file's is too large."""
    finite = np.isfinite(expected.exact) & np.isfinite(expected.ours)
    alike = found.shape == finite.shape and np.isfinite(found[finite]).all()
    if not alike or not np.array_equal(found[~finite], expected.ours[~finite], equal_nan=True):
        raise ExportError(
            f"got {name} of shape {found.shape} from the ONNX file, or NaN and infinity at other places, expected "
            f"those of predict, {finite.shape}: nothing is written"
        )
    theirs, ours, exact = (a[finite].astype(np.float64) for a in (found, expected.ours, expected.exact))
    difference, error = largest(theirs - ours), largest(theirs - exact)
    bound = 4 * expected.own + 16 * float(np.spacing(np.dtype(expected.dtype).type(scale)))
    if error > bound:
        raise ExportError(
            f"got an error of {error:.3g} in {name} of the ONNX file, expected at most {bound:.3g}, 4 times that of "
            "predict and 16 ulp of the largest output: nothing is written. Rows of the training's kind as check= may "
            "show that it is small where it matters"
        )
    return difference, error, expected.own
