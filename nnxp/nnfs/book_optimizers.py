"""The book's optimizers: its learning rates, and its order of arguments."""

from typing import Any

from nnxp import optimizers


class Optimizer_SGD(optimizers.SGD):
    """`nnxp.SGD` with the book's learning rate."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0, **keywords: Any) -> None:
        super().__init__(learning_rate, decay=decay, momentum=momentum, **keywords)


class Optimizer_Adagrad(optimizers.Adagrad):
    """`nnxp.Adagrad` with the book's learning rate."""

    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, epsilon: float = 1e-7, **keywords: Any) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, **keywords)


class Optimizer_RMSprop(optimizers.RMSprop):
    """`nnxp.RMSprop` with the book's order of arguments."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        rho: float = 0.9,
        **keywords: Any,
    ) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, rho=rho, **keywords)


class Optimizer_Adam(optimizers.Adam):
    """`nnxp.Adam` with the book's order of arguments."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        **keywords: Any,
    ) -> None:
        super().__init__(learning_rate, decay=decay, epsilon=epsilon, beta_1=beta_1, beta_2=beta_2, **keywords)
