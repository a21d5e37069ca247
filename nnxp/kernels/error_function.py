"""The error function from the other words of a vocabulary, for libraries that have none of their own."""

import math
from typing import Any

from nnxp.typing import Array

# W. J. Cody's coefficients, highest power first, as in his routine CALERF (netlib, specfun).
NEAR_P = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
          3.20937758913846947e3)  # fmt: skip
NEAR_Q = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
MIDDLE_P = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
            2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
            1.23033935479799725e3)  # fmt: skip
MIDDLE_Q = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
            3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
            1.23033935480374942e3)  # fmt: skip
FAR_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
         1.60837851487422766e-2, 6.58749161529837803e-4)  # fmt: skip
FAR_Q = (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
         2.33520497626869185e-3)  # fmt: skip


def polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Σᵢ cᵢ xⁿ⁻ⁱ, the highest power first, by Horner's rule."""
    total = coefficients[0] * x
    for c in coefficients[1:-1]:
        total = (total + c) * x
    return total + coefficients[-1]


def erf(x: Array, xp: Any) -> Array:
    """`formulas.erf`, in the words of the vocabulary `xp`."""
    a = xp.minimum(xp.abs(x), 6)  # erf(6) is 1 in float64
    t = xp.minimum(a, 0.46875)
    near = t * polynomial(t * t, NEAR_P) / polynomial(t * t, NEAR_Q)
    t = xp.minimum(xp.maximum(a, 0.46875), 4)
    middle = 1 - xp.exp(-t * t) * polynomial(t, MIDDLE_P) / polynomial(t, MIDDLE_Q)
    t = xp.maximum(a, 4)
    r = 1 / (t * t)
    far = 1 - xp.exp(-t * t) * (1 / math.sqrt(math.pi) - r * polynomial(r, FAR_P) / polynomial(r, FAR_Q)) / t
    return xp.sign(x) * xp.where(a <= 0.46875, near, xp.where(a <= 4, middle, far))
