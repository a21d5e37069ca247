"""What a graph becomes on a library that computes into given memory: its program, and the function of one block."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from nnxp.kernels import source
from nnxp.kernels.graph import Graph
from nnxp.kernels.instructions import block_source
from nnxp.kernels.libraries import Library
from nnxp.kernels.program import program


class Lowered:
    """A graph, lowered to a library.

    Parameters
    ----------
    library
        Whose arrays.
    graph
        What is computed.
    into
        The parameters that the outputs overwrite.
    column_sums
        Whether the result's column sums are wanted too.
    compiled : numba_fusion.Compiled, cuda.Compiled or None
        Gives the compiled loop for a call, or None.
    """

    def __init__(self, library: Library, graph: Graph, into: Sequence[str], column_sums: bool, compiled: Any) -> None:
        self.library, self.graph, self.column_sums, self.compiled = library, graph, column_sums, compiled
        self.arrays = [p for p in graph.parameters if not p.scalar]
        self.full = [i for i, p in enumerate(self.arrays) if p.shape == "full"]
        self.into = [next(i for i, p in enumerate(self.arrays) if p.value == name) for name in into]
        self.program = None if library.instructions is None else program(graph, into, library.instructions.lowered)

    @functools.cached_property
    def written(self) -> tuple[str, list[str]]:
        """The source of the function that computes a block, and the registers it takes."""
        assert self.program is not None and self.library.instructions is not None
        return block_source(self.library.instructions, self.program, self.column_sums)

    @functools.cached_property
    def block(self) -> Callable[..., None]:
        """That function, made where it is used: where all is compiled, it is not."""
        assert self.library.instructions is not None
        return source.build(self.written[0], self.graph.name, **self.library.instructions.functions)
