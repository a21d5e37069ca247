"""The update rules, in order of increasing complexity."""

from typing import Any, ClassVar

from nnxp.backends import Backend
from nnxp.doors.options import above_zero, share
from nnxp.kernels import formulas
from nnxp.optimizers.base import Optimizer
from nnxp.optimizers.decaying import Decaying
from nnxp.optimizers.factors import Factors
from nnxp.typing import Array


class SGD(Optimizer):
    """w = w - lr · g; with momentum β: m = βm + lr · g; w = w - m.

    The learning rate stands inside the momentum, as in Polyak 1964. PyTorch multiplies m by the rate instead,
    which is the same while the rate is constant. `nesterov=True` takes w = w - (βm + lr · g) with the new m
    (Sutskever et al. 2013).

    Parameters
    ----------
    learning_rate : float
        0.01 by default.
    momentum : float
        β, from 0 (none) to below 1.
    nesterov : bool
        Needs momentum.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    options = (*Optimizer.options, "momentum", "nesterov")

    def __init__(
        self, learning_rate: float = 0.01, *, momentum: float = 0.0, nesterov: bool = False, **common: Any
    ) -> None:
        super().__init__(learning_rate, **common)
        self.momentum, self.nesterov = share("momentum", momentum), bool(nesterov)
        if nesterov and not momentum:
            raise ValueError("got nesterov=True without momentum: give momentum=0.9, say")
        self.slots = ("momentum",) if self.momentum else ()

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        lr = self.current_learning_rate * factors.rate
        if not slots:
            factors.update(formulas.sgd, ("w",), w, g)(lr)
        else:
            factors.update(formulas.momentum, ("w", "m"), w, g, *slots, nesterov=self.nesterov)(lr, self.momentum)


class Adagrad(Optimizer):
    """c = c + g²; w = w - lr · g / (√c + ε). Duchi et al. 2011, with ε outside the root; PyTorch's ε is
    1e-10.

    Parameters
    ----------
    learning_rate : float
        0.01 by default.
    epsilon : float
        ε, 1e-7 by default.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    slots = ("cache",)
    options = (*Optimizer.options, "epsilon")

    def __init__(self, learning_rate: float = 0.01, *, epsilon: float = 1e-7, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.epsilon = above_zero("epsilon", epsilon)

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        lr = self.current_learning_rate * factors.rate
        factors.update(formulas.adagrad, ("w", "c"), w, g, *slots)(lr, self.epsilon)


class RMSprop(Optimizer):
    """c = ρc + (1 - ρ)g²; w = w - lr · g / (√c + ε). Hinton 2012, lecture 6e, with ε outside the root;
    PyTorch's ρ (alpha) is 0.99 and its ε 1e-8.

    Parameters
    ----------
    learning_rate : float
        0.001 by default.
    rho : float
        ρ, 0.9 by default.
    epsilon : float
        ε, 1e-7 by default.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    slots = ("cache",)
    options = (*Optimizer.options, "rho", "epsilon")

    def __init__(self, learning_rate: float = 0.001, *, rho: float = 0.9, epsilon: float = 1e-7, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = share("rho", rho), above_zero("epsilon", epsilon)

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        lr = self.current_learning_rate * factors.rate
        factors.update(formulas.rmsprop, ("w", "c"), w, g, *slots)(lr, self.rho, self.epsilon)


class Adam(Optimizer):
    """m = β₁m + (1 - β₁)g; c = β₂c + (1 - β₂)g²; w = w - lr · m̂ / (√ĉ + ε), with m̂ = m / (1 - β₁ᵗ) and
    ĉ = c / (1 - β₂ᵗ). Steps t are counted from 1, m and c begin with 0, and lr is the rate of the step. Kingma and Ba
    2015 (arXiv:1412.6980), algorithm 1; ε is 1e-7 here, 1e-8 there and in PyTorch.

    Parameters
    ----------
    learning_rate : float
        0.001 by default.
    beta_1, beta_2 : float
        β₁ and β₂, 0.9 and 0.999 by default.
    epsilon : float
        ε, 1e-7 by default.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    slots = ("momentum", "cache")
    options: ClassVar[tuple[str, ...]] = (*Optimizer.options, "beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2 = share("beta_1", beta_1), share("beta_2", beta_2)
        self.epsilon = above_zero("epsilon", epsilon)

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        factors.update(formulas.adam, ("w", "m", "c"), w, g, *slots)(*self._scalars(factors))

    def _scalars(self, factors: Factors) -> tuple[float, ...]:
        t = self.iterations + 1
        corrections = (1 - self.beta_1**t, 1 - self.beta_2**t)
        return (self.current_learning_rate * factors.rate, self.beta_1, self.beta_2, self.epsilon, *corrections)


class AdamW(Decaying, Adam):
    """Adam from w - lr · λ · w: decay beside the gradient. Loshchilov and Hutter 2019 (arXiv:1711.05101),
    algorithm 2, the decay multiplied by the learning rate as in PyTorch.

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon
        See `Adam`.
    weight_decay : float
        λ, 0.01 by default.
    decay_biases, weight_decay_schedule, decay_factors
        See `Decaying`.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    options = (*Adam.options, *Decaying.options)

    def __init__(self, learning_rate: float = 0.001, *, weight_decay: float = 0.01, **others: Any) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **others)

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        update = factors.update(formulas.adamw, ("w", "m", "c"), w, g, *slots)
        update(*self._scalars(factors), self._decay(factors))


class Lion(Decaying):
    """w = w - lr · (sign(β₁m + (1 - β₁)g) + λw); m = β₂m + (1 - β₂)g. Chen et al. 2023 (arXiv:2302.06675),
    algorithm 2: every parameter moves by the learning rate, whatever its gradient's size, which is why the paper's
    rates are 3 to 10 times smaller than AdamW's and its λ as much larger. The defaults are ten times so.

    Parameters
    ----------
    learning_rate : float
        0.0001 by default.
    beta_1, beta_2 : float
        β₁ and β₂, 0.9 and 0.99 by default, as in the paper.
    weight_decay : float
        λ, 0.1 by default.
    decay_biases, weight_decay_schedule, decay_factors
        See `Decaying`.
    schedule, decay, clip_norm, clip_value, ema, factors, backend
        See `Optimizer`.
    """

    slots = ("momentum",)
    options = (*Optimizer.options, "beta_1", "beta_2", *Decaying.options)

    def __init__(
        self,
        learning_rate: float = 1e-4,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float = 0.1,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **others)
        self.beta_1, self.beta_2 = share("beta_1", beta_1), share("beta_2", beta_2)

    def step(self, backend: Backend, w: Array, g: Array, slots: list[Array], factors: Factors) -> None:
        """See the class."""
        update, lr = factors.update(formulas.lion, ("w", "m"), w, g, *slots), self.current_learning_rate * factors.rate
        update(lr, self.beta_1, self.beta_2, self._decay(factors))
