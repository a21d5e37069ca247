"""Modules for PyTorch of the layers that torch.nn has none for: the same equations, differentiated by autograd.

They take tensors of a model, which become their parameters under the names that the layers have; what is no parameter
of a layer is in no `state_dict`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class NTKLinear(nn.Linear):
    """y = s x Wᵀ + b: `nnxp.Dense` in neural-tangent form."""

    def __init__(self, n_in: int, n_out: int, scale: float) -> None:
        super().__init__(n_in, n_out, device="meta")
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """s x Wᵀ + b, (n, n_out)."""
        return functional.linear(x, self.weight) * self.scale + self.bias


class FactoredLinear(nn.Linear):
    """y = ((x ⊙ r) Wᵀ) ⊙ s + b: `nnxp.SharedDense`, or a member's."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, device="meta")
        for name, width in (("input_factors", n_in), ("output_factors", n_out)):
            setattr(self, name, nn.Parameter(torch.empty(1, width, device="meta")))

    def forward(self, x: Tensor) -> Tensor:
        """((x ⊙ r) Wᵀ) ⊙ s + b, (n, n_out)."""
        return functional.linear(x * self.input_factors, self.weight) * self.output_factors + self.bias


class FrozenBatchNorm(nn.BatchNorm1d):
    """`nnxp.BatchNorm` with `trainable=False`: running means normalise in train mode, too, and stay."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm":
        """Is in eval mode whatever is asked for."""
        super().train(False)
        return self


class Rescaling(nn.Module):
    """y = x · scale + offset, which are not trained; bytes become the model's numbers."""

    def __init__(self, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x · scale + offset, (n, m)."""
        return x * self.scale + self.offset


class Scaling(nn.Module):
    """y = s ⊙ x."""

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        """s ⊙ x, (n, width)."""
        return x * self.scale


class ParametricActivation(nn.Module):
    """y = x + α ⊙ (f(x) - x)."""

    def __init__(self, activation: nn.Module, alpha: Tensor) -> None:
        super().__init__()
        self.activation, self.alpha = activation, nn.Parameter(alpha)

    def forward(self, x: Tensor) -> Tensor:
        """x + α ⊙ (f(x) - x), (n, width)."""
        return x + self.alpha * (self.activation(x) - x)


class Columnwise(nn.Module):
    """A module that works on some columns, and hands the others on."""

    def __init__(self, own: Sequence[int], others: Sequence[int]) -> None:
        super().__init__()
        for name, columns in (("own", own), ("others", others)):
            self.register_buffer(name, torch.tensor([*columns], dtype=torch.int64, device="cpu"), persistent=False)

    def joined(self, x: Tensor, *parts: Tensor) -> Tensor:
        """The other columns of x, then the parts, each (n, ...)."""
        return torch.cat([x[:, self.others], *(part.flatten(1) for part in parts)], dim=1)


class Embedding(Columnwise):
    """Columns of codes as rows of one table, each column's part after the other: a code next to a whole number is that,
    one out of range gives NaN and no gradient."""

    def __init__(
        self, weight: Tensor, sizes: Tensor, begins: Sequence[int], own: Sequence[int], others: Sequence[int]
    ) -> None:
        super().__init__(own, others)
        self.weight = nn.Parameter(weight)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("begins", torch.tensor([*begins], dtype=torch.int64, device="cpu"), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The other columns, then rows of the table, (n, n_out)."""
        codes = x[:, self.own].round()
        known = (codes >= 0) & (codes < self.sizes)
        rows = torch.where(known, codes, 0).to(torch.int64) + self.begins
        return self.joined(x, torch.where(known[..., None], functional.embedding(rows, self.weight), math.nan))


class PeriodicEmbedding(Columnwise):
    """u = cos(2πwx + b) and z = u A + c, each column for itself, beside all columns; `rectified` gives max(0, z)."""

    def __init__(
        self,
        frequencies: Tensor,
        phases: Tensor,
        weights: Tensor,
        biases: Tensor,
        rectified: bool,
        own: Sequence[int],
        others: Sequence[int],
    ) -> None:
        super().__init__(own, others)
        self.frequencies, self.phases = nn.Parameter(frequencies), nn.Parameter(phases)
        self.weights, self.biases, self.rectified = nn.Parameter(weights), nn.Parameter(biases), rectified

    def forward(self, x: Tensor) -> Tensor:
        """The other columns, its own, then the numbers made of them, (n, n_out)."""
        own, waves = x[:, self.own], self.weights.shape[1]
        angles = 2 * math.pi * (own.repeat_interleave(waves, 1) * self.frequencies) + self.phases
        cosines = torch.cos(angles).unflatten(1, (own.shape[1], waves))
        z = torch.einsum("ncw,cwm->ncm", cosines, self.weights).flatten(1) + self.biases
        return self.joined(x, own, z.relu() if self.rectified else z)


class PiecewiseLinearEmbedding(Columnwise):
    """x and its shares of bins, t = (x - start) · slope held within [least, most]; with weights y = (x, t) W + c."""

    def __init__(
        self,
        sources: Sequence[int],
        pieces: Sequence[Tensor],
        weights: Tensor | None,
        biases: Tensor | None,
        others: Sequence[int],
    ) -> None:
        super().__init__(sources, others)
        for name, row in zip(("start", "slope", "least", "most"), pieces, strict=True):
            self.register_buffer(name, row, persistent=False)
        self.weights = None if weights is None else nn.Parameter(weights)
        self.biases = None if biases is None else nn.Parameter(biases)

    def forward(self, x: Tensor) -> Tensor:
        """The other columns, then x and its bins, or what is made of them, (n, n_out)."""
        t = (x[:, self.own] - self.start) * self.slope
        t = torch.minimum(torch.maximum(t, self.least), self.most)
        if self.weights is None:
            return self.joined(x, t)
        t = t.unflatten(1, self.weights.shape[:2])
        return self.joined(x, torch.einsum("ncp,cpw->ncw", t, self.weights).flatten(1) + self.biases)


class Residual(nn.Module):
    """y = s(x) + f(x): f runs layers in a row, s hands x on, or projects it."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """s(x) + f(x), (n, n_out)."""
        return (x if self.shortcut is None else self.shortcut(x)) + self.layers(x)


class Members(nn.Module):
    """The mean of what several networks give: `networks` are they."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """Their mean output, (n, n_out)."""
        return torch.stack([network(x) for network in self.networks]).mean(0)
