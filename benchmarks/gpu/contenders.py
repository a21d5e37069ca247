"""Who takes the steps: each gives `Running`, from a problem, for the precision that its process was started with.

A process runs one contender in one precision (`prepare` sets it before anything is computed), so that no switch of one
is another's.
"""

import importlib.util
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu import clock
from benchmarks.gpu.clock import Clock
from benchmarks.problems import Problem, products

TITLES = {
    "products": "the products alone",
    "nnxp": "nnxp",
    "book": "plain CuPy, the book's style",
    "torch_eager": "PyTorch, fused Adam",
    "torch_captured": "PyTorch, captured graph",
    "torch_compiled": "PyTorch, compiled",
    "jax": "JAX, jit",
}
PRECISIONS = ("float32", "tf32", "float64")
NO_TF32 = "this GPU has no TF32 (that needs compute capability 8.0)"


class Unavailable(Exception):
    """What keeps a contender from running here, in words."""


@dataclass(frozen=True)
class Running:
    """A contender with a problem's arrays on the device."""

    step: Callable[[], Any]
    """Launches one step and gives its loss, 0-d and still on the device; the products alone give None."""
    predict: Callable[[], Any] | None
    """Launches the probabilities of the problem's rows, from the device to the device."""
    clock: Clock


def dtype_of(precision: str) -> str:
    return "float64" if precision == "float64" else "float32"


def library(contender: str) -> str:
    """The library whose arrays a contender computes with."""
    return contender.partition("_")[0] if contender.startswith(("torch", "jax")) else "cupy"


def environment(contender: str, precision: str) -> dict[str, str]:
    """What has to be set before Python starts. nnxp's TF32 is its own switch, and so is CuPy's off there."""
    tf32 = "1" if precision == "tf32" and contender in ("book", "products", "ceilings") else "0"
    return {
        "CUPY_TF32": tf32,
        "JAX_ENABLE_X64": "1" if precision == "float64" else "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # or it takes three quarters of the memory
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # or compilers outlive a part that is ended
    }


def prepare(name: str, precision: str) -> None:
    """Sees that this library has a GPU, and sets its precision; `Unavailable` says why not."""
    if importlib.util.find_spec(name) is None:
        raise Unavailable(f"{name} is not installed")
    if name == "cupy":
        import cupy

        try:
            cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise Unavailable(f"CuPy {cupy.__version__} sees no GPU: {error}") from None
        if precision == "tf32" and int(cupy.cuda.Device().compute_capability) < 80:
            raise Unavailable(NO_TF32)
    elif name == "torch":
        import torch

        if not torch.cuda.is_available():
            raise Unavailable(f"PyTorch {torch.__version__} sees no GPU")
        if precision == "tf32" and torch.cuda.get_device_capability() < (8, 0):
            raise Unavailable(NO_TF32)
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    else:
        import jax

        if jax.default_backend() != "gpu":
            raise Unavailable(f"JAX {jax.__version__} sees no GPU")
        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if precision == "tf32" else "highest")


def open_backend(precision: str, name: str = "cupy") -> Any:
    """nnxp's backend for a precision."""
    import nnxp

    if precision != "tf32":
        return nnxp.get_backend(name)
    if "precision" not in inspect.signature(nnxp.get_backend).parameters:
        raise Unavailable("this nnxp's get_backend takes no precision=")
    return nnxp.get_backend(name, precision="tf32")


def nnxp(problem: Problem, precision: str) -> Running:
    from benchmarks.peers import nnxp_fast

    backend = open_backend(precision)
    model = nnxp_fast.model(problem, backend)
    X = backend.asarray(problem.X, dtype=problem.dtype.name)
    y = backend.asarray(problem.y, dtype="int64")
    return Running(lambda: model.train_step(X, y), lambda: model.predict(X), clock.of_cupy())


def book(problem: Problem, precision: str) -> Running:
    import cupy

    from benchmarks.peers.book import Network

    network, X, y = Network(problem, cupy), cupy.asarray(problem.X), cupy.asarray(problem.y)
    return Running(lambda: network.train(X, y), lambda: network.forward(X), clock.of_cupy())


def products_alone(problem: Problem, precision: str) -> Running:
    """The floor: what no step can do without."""
    import cupy

    def run(backward: bool) -> Callable[[], None]:
        operands = products(problem.case, problem.dtype.name, cupy.asarray, backward)

        def launch() -> None:
            for a, b, out in operands:
                cupy.matmul(a, b, out=out)

        return launch

    return Running(run(True), None, clock.of_cupy())


def torch_eager(problem: Problem, precision: str, wrap: Any = lambda f: f, device: str = "cuda") -> Running:
    import torch

    from benchmarks.peers import torch_eager as peer

    train, net = peer.training(problem, wrap, device), peer.model(problem, device)
    x, y = torch.as_tensor(problem.X, device=device), torch.as_tensor(problem.y, device=device)
    probabilities = wrap(lambda x: torch.softmax(net(x), dim=1))

    def predict() -> Any:
        with torch.inference_mode():
            return probabilities(x)

    return Running(lambda: train(x, y), predict, clock.of_torch(device))


def torch_compiled(problem: Problem, precision: str) -> Running:
    import torch

    torch.compiler.reset()  # or the second size is taken for the first with shapes that vary
    return torch_eager(problem, precision, torch.compile)


def torch_captured(problem: Problem, precision: str) -> Running:
    """Three steps on a stream beside, as PyTorch asks before a capture, then one graph that is replayed."""
    import torch

    from benchmarks.peers import torch_eager as peer

    train = peer.training(problem, device="cuda", capturable=True)
    x, y = torch.as_tensor(problem.X, device="cuda"), torch.as_tensor(problem.y, device="cuda")
    side, graph, before, loss = torch.cuda.Stream(), torch.cuda.CUDAGraph(), 3, None

    def step() -> Any:
        nonlocal before, loss
        if before:
            before -= 1
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                early = train(x, y)
            torch.cuda.current_stream().wait_stream(side)
            return early
        if loss is None:
            with torch.cuda.graph(graph):  # records, and computes nothing
                loss = train(x, y)
        graph.replay()
        return loss

    return Running(step, None, clock.of_torch())


def jax(problem: Problem, precision: str) -> Running:
    import jax
    import jax.numpy as jnp

    from benchmarks.gpu import jax_step

    train, parameters = jax_step.training(problem), jax_step.parameters_of(problem)
    x, y = jnp.array(problem.X), jnp.array(problem.y)
    probabilities = jax.jit(lambda parameters, x: jax.nn.softmax(jax_step.logits(parameters, x)))
    return Running(lambda: train(x, y), lambda: probabilities(parameters, x), clock.of_jax())


ALL: dict[str, Callable[[Problem, str], Running]] = {
    "products": products_alone,
    "nnxp": nnxp,
    "book": book,
    "torch_eager": torch_eager,
    "torch_captured": torch_captured,
    "torch_compiled": torch_compiled,
    "jax": jax,
}


def has_members() -> bool:
    """Whether this nnxp trains several networks at once."""
    import nnxp

    return "members" in inspect.signature(nnxp.Sequential).parameters


def on_host_memory() -> bool:
    """Whether CuPy runs on host memory (tests/helpers/hostcuda), so that no time means anything."""
    return "NNXP_HOSTCUDA" in os.environ
