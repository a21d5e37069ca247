"""The operators of an ONNX graph as they are added, one after the other, and its constants."""

import copy
import hashlib
import importlib.util
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np

from nnxp.errors import ExportError

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""What is written, by domain: old enough for runtimes of 2022, and what follows has kernels in it."""
IR = 8
LARGEST = 2**31 - 2**20
"""Bytes of constants: a protobuf ends at 2 GB, of which the rest of the graph takes a little."""
DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool", "str")

Shape = Sequence[int | str]
"""Sizes; a name is one that only the data says: ("rows", 3)."""


class Operators:
    """A graph that grows. Values are names; what computes them has been added before.

    Parameters
    ----------
    dtype : "float32" or "float64"
        Of the model: constants of floats have it where nothing else is said.
    taken : collection of str
        Names of inputs and outputs that are not ours to choose, which no value between them has then.

    Raises
    ------
    ModuleNotFoundError
        The package onnx is not installed.

    Examples
    --------
    >>> graph = Operators("float32")
    >>> y = graph.node("Mul", "X", graph.constant([2.0, 3.0]))
    >>> model = graph.model({"X": ("float32", ("rows", 2))}, {"Y": (y, "float32", ("rows", 2))})
    >>> [node.op_type for node in model.graph.node]
    ['Mul', 'Identity']
    """

    def __init__(self, dtype: str, taken: Collection[str] = ()) -> None:
        if dtype not in ("float32", "float64"):
            raise ExportError(f"got a model of dtype {dtype} to export, expected float32 or float64")
        if importlib.util.find_spec("onnx") is None:
            raise ModuleNotFoundError('exporting needs onnx: pip install "nnxp[onnx]"', name="onnx")
        import onnx

        self.onnx, self.dtype = onnx, dtype
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Any] = {}
        self._held, self._taken = [0], {*taken}

    def typed(self, dtype: str) -> Self:
        """The same graph, whose constants of floats have another dtype."""
        twin = copy.copy(self)
        twin.dtype = dtype
        return twin

    def constant(self, values: Any, dtype: str | None = None) -> str:
        """The name of an array that stays: of texts, of integers as int64, of floats in the model's dtype."""
        array = np.asarray(values)
        if dtype is None:
            dtype = {"i": "int64", "u": "int64", "b": "bool", "U": "str", "O": "str"}.get(array.dtype.kind, self.dtype)
        with np.errstate(over="ignore"):  # to infinity, as in arrays of the dtype
            array = array.astype(object if dtype == "str" else dtype)
        data = repr(array.tolist()).encode() if dtype == "str" else array.tobytes()
        key = dtype, array.shape, hashlib.sha256(data).digest()
        if key not in self._constants:
            self._held[0] += len(data)
            if self._held[0] > LARGEST:
                raise ExportError(
                    f"got a model of more than {LARGEST / 2**30:.1f} GiB, expected one that fits into an ONNX file, "
                    "which ends at 2 GiB: save it as safetensors (model.save), or export a smaller one"
                )
            self._constants[key] = self.onnx.numpy_helper.from_array(array, self._name(f"c{len(self._constants)}"))
        return str(self._constants[key].name)

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The name of what an operator makes of its inputs."""
        (made,) = self.nodes(op, *inputs, outputs=1, domain=domain, **attributes)
        return made

    def nodes(self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Likewise of an operator that makes several."""
        count = len(self._nodes)
        made = [self._name(f"{op}_{count}" + (f"_{i}" if outputs > 1 else "")) for i in range(outputs)]
        self._nodes.append(self.onnx.helper.make_node(op, inputs, made, domain=domain, **attributes))
        return made

    def cast(self, x: str, dtype: str) -> str:
        """x as another dtype."""
        return self.node("Cast", x, to=self._type(dtype))

    def reshaped(self, x: str, *shape: int) -> str:
        """x in another shape, one size of it -1, whatever is left: the rows, of which there may be none."""
        return self.node("Reshape", x, self.constant([*shape], "int64"))

    def model(
        self,
        inputs: Mapping[str, tuple[str, Shape]],
        outputs: Mapping[str, tuple[str, str, Shape]],
        metadata: Mapping[str, str] | None = None,
    ) -> Any:
        """The whole as a `ModelProto`.

        Parameters
        ----------
        inputs
            dtype and shape of each, by its name.
        outputs
            The value that each is, its dtype and shape, by the name that it is to have.
        metadata
            Texts by name, kept in the file.
        """
        helper = self.onnx.helper
        named = [helper.make_node("Identity", [value], [name]) for name, (value, *_) in outputs.items()]
        read = {name for node in (*self._nodes, *named) for name in node.input}
        graph = helper.make_graph(
            [*self._nodes, *named],
            "nnxp",
            [helper.make_tensor_value_info(name, self._type(dtype), shape) for name, (dtype, shape) in inputs.items()],
            [helper.make_tensor_value_info(n, self._type(dtype), shape) for n, (_, dtype, shape) in outputs.items()],
            [constant for constant in self._constants.values() if constant.name in read],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="nnxp")
        helper.set_model_props(model, dict(metadata or {}))
        return model

    def _name(self, name: str) -> str:
        """A name for a value that no input or output has."""
        while name in self._taken:
            name += "'"
        return name

    def _type(self, dtype: str) -> int:
        if dtype not in DTYPES:
            raise ExportError(f"got dtype {dtype!r} for an ONNX file, expected one of {', '.join(DTYPES)}")
        if dtype == "str":
            return int(self.onnx.TensorProto.STRING)
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
