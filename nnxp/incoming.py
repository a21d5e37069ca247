"""Models that come from elsewhere: from a file, or from PyTorch."""

from collections.abc import Mapping
from typing import Any

from nnxp.backends import get_backend
from nnxp.files import modelfile
from nnxp.layers import Layer
from nnxp.losses import Loss
from nnxp.optimizers import Optimizer
from nnxp.sequential import Sequential


def load(
    source: Any,
    *,
    backend: Any = None,
    layers: dict[str, type[Layer]] | None = None,
    into: Sequential | None = None,
    names: Mapping[str, str | None] | None = None,
) -> Sequential:
    """Reads a model from a file that `Sequential.save` wrote, or weights alone into a model that there is.

    Tensors are read into their places in blocks: beside the model itself, loading takes little memory. With `into`, all
    weights are read and checked before the first is taken.

    Parameters
    ----------
    source
        The file. With `into`: any safetensors, NumPy's .npz, a .pt or .pth of `torch.save(module.state_dict(), path)`,
        read by `torch.load(weights_only=True)`, or arrays or tensors by name. No pickle's code is run.
    backend
        Where the model is to run; by default the first X decides.
    layers
        Your own classes by name, where the model has some: layers, and a loss, an optimizer or a schedule too. They
        are made with the options that the file holds.
    into
        The model whose weights, running means among them, become those of the source: all of them, or where something
        does not fit none. Its optimizer's state, epochs and history stay.
    names
        The model's names by the source's, where these differ; of tensors, or what they begin with up to a dot:
        {"encoder.fc1": "0", "encoder.fc2": "2"}. None leaves out.

    Returns
    -------
    Sequential
        With its weights, optimizer state and history: `fit` goes on where it stopped. With `into`, that.

    Raises
    ------
    ModelFileError
        The file is damaged, of another format, or holds a layer that is not known. With `into`: a tensor is missing,
        has no place, another shape or another dtype, or has numbers that are not finite.
    FileNotFoundError
        There is no such file.

    Notes
    -----
    Names are those of the model's file, `0.weights`, `0.biases`, or torch's for the same layer: `0.weight`, `0.bias`,
    `1.running_mean`, `1.running_var`. Torch's `weight` of a linear layer is (n_out, n_in), `weights` here is (n_in,
    n_out): a name that ends in `weight`, in the source or in `names`, says that a matrix is to be transposed, a square
    one too; its shape is then compared. Arrays of several members are (members, ...), or, as the state_dict of
    `to_torch` has them, `networks.0.0.weight`, `networks.1.0.weight`, ...: `names` is of what comes after the number.

    Examples
    --------
    >>> import numpy as np, nnxp
    >>> model = nnxp.Sequential([nnxp.Dense(3, 2)], seed=0)
    >>> arrays = {"fc.weight": np.ones((2, 3), "float32"), "fc.bias": np.zeros(2, "float32")}
    >>> nnxp.load(arrays, into=model, names={"fc": "0"}).predict([[1.0, 2.0, 3.0]]).tolist()
    [[6.0, 6.0]]
    """
    if into is None:
        if names is not None:
            raise TypeError("got names= without a model, expected one: nnxp.load(source, into=model, names=...)")
        with modelfile.opened(source) as saved:
            return saved.model(Sequential, backend, layers)
    if not isinstance(into, Sequential):
        raise TypeError(f"got into={into!r:.60}, expected a Sequential, whose weights are then the source's")
    if backend is not None or layers is not None:
        raise TypeError("got backend= or layers= beside into=, expected neither: that model has its own")
    from nnxp.files.weights import load_into

    load_into(into, source, names)
    return into


def from_torch(
    module: Any,
    loss: str | Loss | None = None,
    optimizer: str | Optimizer = "adam",
    *,
    backend: Any = None,
    seed: int | None = None,
) -> Sequential:
    """A model that computes what an `nn.Sequential` of PyTorch does, with copies of its weights, in its dtype.

    Parameters
    ----------
    module
        An `nn.Sequential`, nested ones too, of `Linear`, `BatchNorm1d`, `LayerNorm` over the features, `Dropout`,
        `Identity`, `Flatten` (X is a matrix here), `ReLU`, `LeakyReLU`, `ELU`, `SELU`, `GELU`, `SiLU`, `Mish`,
        `Sigmoid`, `Tanh`, `Softplus`, `Softmax`; or one of these. Layers and activations keep their order, and where
        nothing is nested their numbers. A module without gradients is frozen here, running means too.
    loss, optimizer, backend, seed
        As for `Sequential`. A module that ends in logits, as torch's cross-entropies take them, does so here: its loss
        is `nnxp.SoftmaxCrossentropy()` or `nnxp.SigmoidCrossentropy()`, and `predict` gives logits.

    Returns
    -------
    Sequential

    Raises
    ------
    TypeError
        It is no module, or one whose forward nobody can read: a class of your own or another that is not above, a
        forward that was replaced, hooks, parametrizations.
    ValueError
        An option that is not the same mathematics here; weights that two modules share; more than one dtype.
    BackendUnavailableError
        PyTorch is not installed.

    Notes
    -----
    Torch's `Softplus` is x beyond its threshold of 20: there log(1 + eˣ) is larger by at most e⁻²⁰ = 2.1e-9, less than
    float32 tells apart from 20. One with beta other than 1, or a lower threshold, is refused. A layer without a bias,
    or without gains, gets biases of 0 and gains of 1, which are trained as any: the log "nnxp" says so.
    """
    get_backend("torch")  # says what to install
    from nnxp.export.from_torch import layers_of

    made, dtype = layers_of(module)
    return Sequential(made, loss, optimizer, backend=backend, dtype=dtype, seed=seed)
