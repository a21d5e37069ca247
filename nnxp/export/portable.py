"""What a model offers to go elsewhere; what does it is imported when it is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnxp.backends import get_backend
from nnxp.network.model import Model
from nnxp.typing import ArrayLike

if TYPE_CHECKING:
    from nnxp.export.selfcheck import Checked


class Portable(Model):
    """A model that other libraries can run."""

    def export(
        self,
        path: Any,
        *,
        outputs: Sequence[str] | None = None,
        input_dtype: str | None = None,
        check: ArrayLike | None = None,
    ) -> "Checked":
        """Writes an ONNX file that predicts as the model does, without nnxp. Needs onnx: ``pip install "nnxp[onnx]"``.

        Its input is X, (rows, n_in), any number of rows, none too. It holds the whole model: members are averaged in
        it, and layers that only train are gone. See docs/onnx.md for what is written. A model that has seen no X yet
        is NumPy's from then on.

        Parameters
        ----------
        path
            The file: written whole, once it is checked, or not at all.
        outputs
            What it gives. Of a regression "prediction", as `predict`. Of a classifier by default "probabilities",
            shaped as `predict` gives them, and "label", (rows,): the class's name, or its index where the model has no
            names; for several labels a sample (rows, n_out), 0 or 1. Also "logits", what the last softmax or sigmoid
            takes; of several members "members", what each gives, (members, rows, n_out), and "std", its standard
            deviation, divided by members - 1, (rows, n_out); their logits are (members, rows, n_out).
        input_dtype
            What X is of: the model's dtype by default; "uint8" takes images as they are stored.
        check
            Rows to check the file with, (rows, n_in), as X is; by default made up.

        Returns
        -------
        Checked
            What the file was checked with, and the largest difference from `predict`. It is run by onnxruntime where
            that is installed, else by onnx's reference evaluator.

        Raises
        ------
        ExportError
            A layer cannot be written, the file would be larger than 2 GB, or its error against the model computed in
            float64 is more than 4 times that of `predict` + 16 ulp of the largest output. Nothing is written.
        ModuleNotFoundError
            onnx is not installed.

        Examples
        --------
        >>> import nnxp, pathlib, tempfile
        >>> model = nnxp.Sequential([nnxp.Dense(4, 8), "relu", nnxp.Dense(8, 3), "softmax"], seed=0)
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.onnx")
        >>> model.export(path).difference < 1e-6
        True
        """
        from nnxp.export.onnxfile import export

        return export(self, path, outputs, input_dtype, check)

    def to_torch(self) -> Any:
        """The layers as a `torch.nn.Module` on the CPU, with copies of the weights: its output is that of `predict`.

        It is in eval mode; `.train()` brings dropout and the batches' own moments. Layers are torch's own where these
        compute the same, under the same numbers, so that `nnxp.load(module.state_dict(), into=model)` brings the
        weights of one network back. What is frozen here needs no gradients there. Of several members it is the mean of
        `module.networks`. Of a model of tables it takes the encoded matrix. Penalties, learning rates and a schedule
        of `Dropout` are the training's, and stay here.

        Returns
        -------
        torch.nn.Module
            In the model's dtype; an `nn.Sequential` of one network.

        Raises
        ------
        ExportError
            A layer is of your own.
        BackendUnavailableError
            PyTorch is not installed.
        """
        get_backend("torch")  # says what to install
        from nnxp.export.to_torch import to_torch

        return to_torch(self)
