"""Kernels whose arrays stay the same: what is asked of them is asked once, and not at every call."""

import functools
from collections.abc import Callable
from typing import Any

from nnxp.typing import Kernel


def bound(kernel: Kernel, *arguments: Any, **keywords: Any) -> Callable[..., Any]:
    """`functools.partial(kernel, *arguments, **keywords)`, which a kernel that is compiled prepares once: then nothing
    is asked of these arrays at a call, neither type nor shape, which are not to be changed.

    Parameters
    ----------
    kernel
        Of `Backend.fuse`, or a named one.
    arguments, keywords
        Its arrays, and numbers that stay the same.

    Returns
    -------
    callable
        Of what is left, numbers mostly. It writes what the kernel writes; what it returns is not to be used.
    """
    prepare: Callable[..., Any] | None = getattr(kernel, "bound", None)
    prepared: Callable[..., Any] | None = None if prepare is None else prepare(*arguments, **keywords)
    return functools.partial(kernel, *arguments, **keywords) if prepared is None else prepared
