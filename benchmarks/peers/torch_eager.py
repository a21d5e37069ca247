"""PyTorch, eager: `nn.Sequential`, `cross_entropy`, fused Adam (ε outside the root, as here). An epoch takes its
batches by index, which is faster than a DataLoader."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.problems import Problem

PACKAGES: tuple[str, ...] = ("torch",)
Wrap = Callable[[Any], Any]


def model(problem: Problem, device: str = "cpu") -> nn.Sequential:
    """The problem's network with its initial weights, in its dtype."""
    parts: list[nn.Module] = []
    for weights, biases in zip(problem.weights, problem.biases, strict=True):
        linear = nn.Linear(*weights.shape, device=device, dtype=getattr(torch, problem.dtype.name))
        with torch.no_grad():
            linear.weight.copy_(torch.as_tensor(weights.T))
            linear.bias.copy_(torch.as_tensor(biases))
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def training(
    problem: Problem, wrap: Wrap = lambda f: f, device: str = "cpu", capturable: bool = False
) -> Callable[[Any, Any], Any]:
    """One step, which gives its loss. To be `capturable` in a CUDA graph, Adam counts its steps on the device."""
    net = model(problem, device)
    adam = torch.optim.Adam(
        net.parameters(),
        lr=problem.case.learning_rate,
        eps=problem.epsilon,
        fused=True,
        foreach=False,
        capturable=capturable,
    )
    loss_of = wrap(lambda x, y: nn.functional.cross_entropy(net(x), y))

    def train(x: Any, y: Any) -> Any:
        adam.zero_grad(set_to_none=True)
        loss = loss_of(x, y)
        loss.backward()
        adam.step()
        return loss.detach()

    return train


def step(problem: Problem, wrap: Wrap = lambda f: f) -> Callable[[int], float]:
    train, x, y = training(problem, wrap), torch.as_tensor(problem.X), torch.as_tensor(problem.y)

    def run(count: int) -> float:
        for _ in range(count):
            loss = train(x, y)
        return float(loss)

    return run


def epoch(problem: Problem, wrap: Wrap = lambda f: f) -> Callable[[int], float]:
    train, X, y = training(problem, wrap), torch.as_tensor(problem.X), torch.as_tensor(problem.y)
    size = problem.case.batch

    def run(count: int) -> float:
        for _ in range(count):
            total = torch.zeros(())
            for rows in torch.randperm(len(X)).split(size):
                total += train(X[rows], y[rows]) * len(rows)
        return float(total / len(X))

    return run


def predict(problem: Problem, wrap: Wrap = lambda f: f) -> Callable[[int], Any]:
    net, x = model(problem), torch.as_tensor(problem.X)
    probabilities = wrap(lambda x: torch.softmax(net(x), dim=1))

    def run(count: int) -> Any:
        with torch.inference_mode():
            for _ in range(count):
                out = probabilities(x)
        return out.numpy()

    return run
