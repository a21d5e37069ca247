"""Each member's own penalties, which its loss has."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nnxp.backends import Backend
from nnxp.layers import Dense, Layer
from nnxp.layers.parts import with_parts
from nnxp.training.penalties import FACTORS
from nnxp.typing import Array, HostArray


class Part(NamedTuple):
    """Parameters of all members as they lie in memory, (K, size) or (n_in, K, n_out), and the factors of their norms,
    (K,) or numbers."""

    a: Array
    l1: Any
    l2: Any


class MemberPenalties:
    """l1 Σ|a| + l2 Σa² of each member, (K,), over the dense layers among some and their parts."""

    def __init__(self, layers: Sequence[Layer], members: int, backend: Backend) -> None:
        self.layers = [part for _, part in with_parts(layers) if isinstance(part, Dense) and part.trainable]
        self.members, self.backend = members, backend
        self._factors: list[tuple[Any, ...]] = []
        self._parts: list[Part] = []

    def add(self, losses: Array) -> Array:
        """The losses, (K,), with the penalties added in place."""
        factors = list(map(FACTORS, self.layers))
        if factors != self._factors:
            self._factors, self._parts = factors, [*self._found()]
        xp = self.backend.xp
        for a, l1, l2 in self._parts:
            if l1 is not None:
                losses += l1 * self._of_each(xp.sum(xp.abs(a), axis=-1))
            if l2 is not None:
                losses += l2 * self._of_each(xp.vecdot(a, a))
        return losses

    def _of_each(self, sums: Array) -> Array:
        """Each member's sum, (K,), of the sums of all rows, (K,) or (n_in, K)."""
        return sums if sums.ndim == 1 else self.backend.xp.sum(sums, axis=0)

    def each(self, dtype: str) -> HostArray:
        """The penalties, (K,), on the host."""
        xp = self.backend.xp
        zeros = xp.zeros((self.members,), dtype=getattr(xp, dtype), device=self.backend.device)
        return self.backend.to_numpy(self.add(zeros))

    def _found(self) -> Iterator[Part]:
        xp = self.backend.xp
        for layer in self.layers:
            for name, *factors in layer._penalties():
                a = getattr(layer, name)
                beside = any(e.beside for e in layer.store.entries if (e.owner, e.name) == (layer.position, name))
                a = xp.permute_dims(a, (1, 0, 2)) if beside else xp.reshape(a, (self.members, -1))
                yield Part(a, *(self._factor(factor, layer.dtype) for factor in factors))

    def _factor(self, factor: float | tuple[float, ...], dtype: str) -> Any:
        """A factor as the norms take it; None where it is 0."""
        return self.backend.asarray(factor, dtype=dtype) if isinstance(factor, tuple) else factor or None
