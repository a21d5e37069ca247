"""What makes X of a table, in a model's file: `config.encoder` and tensors "encoder.<name>", which make it format 2.

What they mean is not known here: `nnxp.tabular.Encoder` checks them when it is made of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnxp.backends import get_backend
from nnxp.errors import ModelFileError
from nnxp.files.header import Tensor
from nnxp.files.tensorfile import Place
from nnxp.typing import EncoderState, HostArray

PREFIX = "encoder."


def format_of(encoder: object) -> str:
    """The format of a file: "2" with an encoder, "1" without."""
    return "1" if encoder is None else "2"


def places_of(encoder: EncoderState | None) -> dict[str, Place]:
    """The tensors of an encoder, where they are.

    Raises
    ------
    TypeError
        It is none that can be read again.
    """
    if encoder is None:
        return {}
    if not isinstance(encoder, tuple) or len(encoder) != 2 or not all(isinstance(part, dict) for part in encoder):
        raise TypeError(
            f"got model.encoder = {encoder!r:.60}, expected an encoder's state: model.encoder = encoder.state()"
        )
    for name, a in encoder[1].items():
        if not isinstance(a, np.ndarray) or a.dtype != np.float64 or not np.isfinite(a).all():
            raise TypeError(f"got {a!r:.60} as array {name!r} of model.encoder, expected finite numbers in float64")
    host = get_backend("numpy", fast=False)
    return {f"{PREFIX}{name}": Place(host, a.reshape(-1), a.shape) for name, a in encoder[1].items()}


def names_of(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> set[str]:
    """The tensors of a file's encoder. Raises ModelFileError where they are none that `places_of` gives."""
    names = {name for name in tensors if name.startswith(PREFIX)} if config["encoder"] is not None else set()
    if wrong := sorted(name for name in names if tensors[name].dtype != "float64"):
        raise ModelFileError(f"its tensor {wrong[0]!r:.60} is not float64, as all of an encoder are")
    return names


def encoder_in(config: Mapping[str, Any], arrays: Mapping[str, HostArray]) -> EncoderState | None:
    """The encoder of a file, by its configuration and all arrays that are none of the layers' or the optimizer's."""
    if config["encoder"] is None:
        return None
    found = {name.removeprefix(PREFIX): a for name, a in arrays.items() if name.startswith(PREFIX)}
    if wrong := sorted(name for name, a in found.items() if not np.isfinite(a).all()):
        raise ModelFileError(f"its encoder has numbers that are not finite in {wrong[0]!r:.60}")
    return config["encoder"], found
