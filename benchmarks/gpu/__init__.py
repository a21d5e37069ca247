"""What a GPU does with nnxp and with others, in minutes: `python -m benchmarks.gpu --out DIR` (benchmarks/README.md).

| module | what it does |
|---|---|
| `__main__` | the command: parts in turn, what they found, the table |
| `parts` | what there is to run, in which order, and how the time is divided |
| `children` | one part in a process of its own, ended with all that it started when its time is over |
| `part` | that process: rows of JSON, each written when it is known |
| `facts`, `ceilings`, `steps`, `fitting`, `kernels` | the kinds of part |
| `contenders`, `jax_step` | who takes the steps |
| `clock` | device time by events, host time until return |
| `results` | the file: equal work, what is kept, what may be shown |
| `text` | the table |

Nothing here needs more than NumPy, CuPy and array-api-compat; PyTorch and JAX are measured where they are installed.
"""
