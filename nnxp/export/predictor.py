"""A model as one file of NumPy alone, and its weights beside it.

The file is `standalone.txt`, byte for byte, whatever the model: its names and classes are never source. What the model
computes is data: steps (see `nnxp.export.steps`), and for a table what its columns become.
"""

import keyword
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from nnxp.errors import ExportError
from nnxp.export.steps import HOME, Steps
from nnxp.files import jsontext, tensorfile
from nnxp.files.tensorfile import Place
from nnxp.files.wholefile import whole_file
from nnxp.network.model import Model


def export_predictor(model: Model, path: Any) -> Path:
    """Writes `predictor.py`, which imports NumPy alone, and `predictor.py.safetensors` beside it.

    `predict(X)` of the file gives the bits of the model's on NumPy without the extra `fast`, of the same rows and with
    as many threads of BLAS, of several members the mean of theirs; `classes()` gives the names of the classes.

    Parameters
    ----------
    model : Sequential
        Of layers of nnxp, and activations of your own that have a formula; without an encoder of tables, which
        `nnxp.tabular.standalone.export_predictor` takes.
    path
        A file whose name can be imported, and is none of NumPy's or of Python's own modules.

    Returns
    -------
    Path
        The file with the weights.

    Raises
    ------
    ExportError
        The model has something else, or the name is none of these.
    OSError
        A file cannot be written.

    Examples
    --------
    >>> import nnxp, tempfile, runpy
    >>> model = nnxp.Sequential([nnxp.Dense(2, 3), "tanh"], seed=0, backend=nnxp.get_backend("numpy", fast=False))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     beside = export_predictor(model, f"{folder}/predictor.py")
    ...     outputs = runpy.run_path(f"{folder}/predictor.py")["predict"]([[0.5, 1.0]])
    >>> bool((outputs == model.predict([[0.5, 1.0]])).all()), beside.name
    (True, 'predictor.py.safetensors')
    """
    if model.encoder is not None:
        raise ExportError(
            "got a model with an encoder of tables, expected one of numbers: nnxp export takes it, and "
            "nnxp.tabular.standalone.export_predictor"
        )
    return write(model, Steps(model.dtype), path)


def write(
    model: Model,
    steps: Steps,
    path: Any,
    table: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
) -> Path:
    """Writes the two files of a model. `table` is what `standalone.txt` reads of a table, and `steps` has the tensors
    that it names."""
    path = Path(path)
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise ExportError(f"got {path.name}, expected a name that Python can import, such as predictor.py")
    if path.stem in {"numpy", *sys.stdlib_module_names}:
        raise ExportError(
            f"got {path.name}, which Python would import in place of its own {path.stem}, expected another name, such "
            "as predictor.py"
        )
    running: Any = model.prediction(model.layers)
    said = {
        "dtype": model.dtype,
        "n_in": model.n_in,
        "classes": model.classes if classes is None else [*classes],
        "members": model.members,
        "rows": running.rows,
        "steps": steps.of(model.running(model.layers)),
        "table": table,
    }
    beside: Path = path.with_name(f"{path.name}.safetensors")
    places = {name: Place(HOME, array.reshape(-1), array.shape) for name, array in steps.tensors.items()}
    texts = {"nnxp_version": _version(), "config": jsontext.canonical(said), "state": "{}", "format": "predictor"}
    source = resources.files(__package__).joinpath("standalone.txt").read_bytes()
    with whole_file(beside, "the weights") as file:
        tensorfile.write(file, texts, places)
    with whole_file(path, "the predictor") as file:
        file.write(source)
    return beside


def _version() -> str:
    from nnxp import __version__

    return __version__
