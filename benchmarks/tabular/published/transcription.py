"""RealMLP-TD-S and RealMLP-TD (Holzmüller et al. 2024, arXiv 2407.04491), their equations on PyTorch's autograd.

Written from the equations alone, for whoever has to be equal to them: nothing of nnxp, nothing of pytabkit. Parameters
are named as `parameters` says; a batch is preprocessed already.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]
LAYERS = 4
SMOOTHING, DROPOUT, DECAY = 0.1, 0.15, 0.02
BETA_1, BETA_2, EPSILON = 0.9, 0.95, 1e-8


@dataclass(frozen=True)
class Recipe:
    """Which of the two, and what for.

    Attributes
    ----------
    embeds : bool
        Whether it is TD, which embeds numbers and words of many values, has parametric activations, dropout and decay.
    classes : int or None
        None: numbers.
    dropout : float
    """

    embeds: bool
    classes: int | None
    dropout: float = DROPOUT

    @property
    def rate(self) -> float:
        """The learning rate."""
        if self.classes is not None:
            return 0.04
        return 0.2 if self.embeds else 0.07


@dataclass(frozen=True)
class Batch:
    """Rows, preprocessed: numbers and one-hot words scaled (with TD-S all in `numbers`), codes of words of many values
    (0: missing or unknown), and class indices or standardised targets."""

    numbers: Tensor
    onehot: Tensor | None
    codes: Tensor | None
    y: Tensor


def coslog4(t: float) -> float:
    """½ - ½ cos(2π log₂(1 + 15t)): four waves, 0 at both ends."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t))


def flat_cosine(t: float) -> float:
    """1 until ½, then ½ (1 + cos π(2t - 1))."""
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * t - 1)))


def scaled(x: Tensor, training: Tensor) -> Tensor:
    """Columns by the training's rows: m the median, f = 1/(q₇₅ - q₂₅), where that is 0, 2/(max - min), else 0;
    z = (x - m) f; z / √(1 + (z/3)²)."""
    low, lower, median, upper, high = torch.quantile(training, torch.tensor([0, 0.25, 0.5, 0.75, 1]).to(x), dim=0)
    spread = torch.where(upper > lower, upper - lower, (high - low) / 2)
    z = (x - median) * torch.where(spread > 0, 1 / spread, 0)
    return z / torch.sqrt(1 + (z / 3) ** 2)


def inputs(recipe: Recipe, P: Parameters, batch: Batch) -> Tensor:
    """What the first layer is given: with TD three numbers u A + c for each, u = cos(2π w x + b), then the numbers
    themselves, the one-hot words, and the words' embeddings."""
    if not recipe.embeds:
        return batch.numbers
    x = batch.numbers
    u = torch.cos(2 * math.pi * x[:, :, None] * P["periodic.w"] + P["periodic.b"])
    parts = [(torch.einsum("ndj,djk->ndk", u, P["periodic.A"]) + P["periodic.c"]).flatten(1), x]
    if batch.onehot is not None:
        parts.append(batch.onehot)
    if batch.codes is not None:
        parts += [P[f"words.{k}"][batch.codes[:, k]] for k in range(batch.codes.shape[1])]
    return torch.cat(parts, dim=1)


def outputs(recipe: Recipe, P: Parameters, batch: Batch, t: float) -> Tensor:
    """Logits, or standardised numbers, in training: s ⊙ x, three times [linear, f], linear; x W / √n_in + b."""
    f = F.mish if recipe.classes is None else F.selu
    x = P["scale"] * inputs(recipe, P, batch)
    for layer in range(LAYERS):
        W = P[f"{layer}.weights"]
        x = x @ W / math.sqrt(len(W)) + P[f"{layer}.biases"]
        if layer + 1 == LAYERS:
            return x
        if not recipe.embeds:
            x = f(x)
            continue
        x = x + P[f"{layer}.alpha"] * (f(x) - x)
        if recipe.dropout:
            x = F.dropout(x, recipe.dropout * flat_cosine(t))
    raise AssertionError


def loss(recipe: Recipe, y: Tensor, z: Tensor) -> Tensor:
    """Cross-entropy with smoothed labels; mean squared error."""
    if recipe.classes is None:
        return torch.mean((z - y) ** 2)
    smoothed = (1 - SMOOTHING) * F.one_hot(y, recipe.classes) + SMOOTHING / recipe.classes
    return -(smoothed * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


def factor(name: str) -> float:
    """Of the learning rate, by the kind of parameter."""
    if name == "scale":
        return 6.0
    return 0.1 if name.startswith("periodic") or name.endswith(("biases", "alpha")) else 1.0


def train(recipe: Recipe, P: Parameters, batches: Iterable[Batch], total: int) -> list[float]:
    """Steps of Adam on these batches, the first of `total`: changes the parameters, gives the losses before each."""
    moments: Mapping[str, tuple[Tensor, Tensor]] = {k: (torch.zeros_like(p), torch.zeros_like(p)) for k, p in P.items()}
    losses = []
    for step, batch in enumerate(batches):
        t = step / total
        torch.manual_seed(step)  # of dropout, as the other side has it
        for p in P.values():
            p.requires_grad_(True).grad = None
        found = loss(recipe, batch.y, outputs(recipe, P, batch, t))
        found.backward()
        losses.append(found.item())
        with torch.no_grad():
            for name, p in P.items():
                gradient, (m, v), f = p.grad, moments[name], factor(name)
                assert gradient is not None
                rate = recipe.rate * coslog4(t) * f
                if recipe.embeds and not name.endswith("biases"):
                    p *= 1 - DECAY * flat_cosine(t) * rate * f
                m += (1 - BETA_1) * (gradient - m)
                v += (1 - BETA_2) * (gradient * gradient - v)
                m_hat, v_hat = m / (1 - BETA_1 ** (step + 1)), v / (1 - BETA_2 ** (step + 1))
                p -= rate * m_hat / (torch.sqrt(v_hat) + EPSILON)
    return losses
