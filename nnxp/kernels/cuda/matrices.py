"""CUDA C++ from a graph whose arrays are matrices, rows and columns: a whole kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnxp.kernels.cuda.source import C_TYPES, Body, arrays_of, ascii_name, outputs, parameter
from nnxp.kernels.graph import Graph, Node
from nnxp.kernels.source import name

PLAIN = """extern "C" __global__ void {title}({parameters})
{{
    const long long across = (long long)gridDim.x * blockDim.x, down = (long long)gridDim.y * blockDim.y;
    for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < m; j += across) {{
        for (long long i = (long long)blockIdx.y * blockDim.y + threadIdx.y; i < n; i += down) {{
{loop}
        }}
    }}
}}
"""
SUMMING = """extern "C" __global__ void {title}({parameters})
{{
    const long long j = (long long)blockIdx.x * COLUMNS + threadIdx.x, down = (long long)gridDim.y * ROWS;
    T total = 0;
    if (j < m) {{
        for (long long i = (long long)blockIdx.y * ROWS + threadIdx.y; i < n; i += down) {{
{loop}
        }}
    }}
    column_total(total, j, m, sums, partial, finished);
}}
"""


@dataclass(frozen=True)
class Rows:
    """A whole kernel over the rows and columns of matrices, and the numbers that it takes after its arrays."""

    text: str
    name: str
    body: Body


def rows(
    graph: Graph,
    into: Sequence[str],
    kinds: Mapping[str, str],
    single: Sequence[str] = (),
    numbers: Sequence[str] = (),
    column_sums: bool = False,
    integral: bool = False,
) -> Rows:
    """A graph over matrices (n, m), with rows (1, m) and columns (n, 1) among its inputs; a thread goes down a column.

    Parameters
    ----------
    kinds
        As for `elementwise`; "T" here stands for a type that the text leaves open.
    single, numbers
        The rows and columns that are one number for all elements: in an array, or by value.
    column_sums
        Whether the result's sums over its rows are wanted too. See `reduce.cuh` for how they are computed.
    """
    body = Body(graph, integral)
    arrays, names = arrays_of(graph), outputs(graph, into)
    at = {"full": "[i * m + j]", "row": "[j]", "column": "[i]"}

    def place(p: Node) -> str:
        return parameter(p) + ("[0]" if name(p) in single else "" if name(p) in numbers else at[p.shape])

    def declared(p: Node) -> str:
        kind = kinds[p.value]
        pointer = "" if name(p) in numbers else "*"
        return f"{'' if p.value in into else 'const '}{C_TYPES.get(kind, kind)}{pointer} {parameter(p)}"

    pointers = [declared(p) for p in arrays]
    if not into:
        pointers += [f"{'bool' if o.boolean else 'T'}* {x}" for x, o in zip(names, graph.outputs, strict=True)]
    pointers += ["T* sums, volatile T* partial, unsigned* finished"] if column_sums else []
    scalars = [f"const {scalar}" for scalar in body.scalars()]
    lines = [
        *body.loads(place),
        *body.lines,
        *(f"{x}{at['full']} = {result};" for x, result in zip(names, body.results, strict=True)),
    ]
    title = f"nnxp_{ascii_name(graph.name)}{'_sums' if column_sums else ''}"
    parameters = ", ".join([*pointers, "const long long n", "const long long m", *scalars])
    if column_sums:
        lines.append(f"total += {body.results[0]};")
    loop = "\n".join(f"            {line}" for line in lines)
    skeleton = SUMMING if column_sums else PLAIN
    return Rows(skeleton.format(title=title, parameters=parameters, loop=loop), title, body)
