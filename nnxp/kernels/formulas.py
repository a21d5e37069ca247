"""The textbook: every element-wise piece of mathematics, once, in plain array code. Over 300 lines, to be one book.

A formula takes arrays (`Array`; `Row` and `Column` where one is broadcast) and Python floats; fusion
reads these annotations.
x is an input, y its output, dy and dx their gradients, w a weight and g its gradient. A gradient
stands below its function. Keyword-only parameters are fixed when a formula is fused. No branch of
a `where` overflows for finite input, since NumPy evaluates both.

>>> import numpy as np
>>> relu(np.array([-1.0, 0.0, 2.0])).tolist()
[0.0, 0.0, 2.0]
"""

import math

from nnxp.kernels import error_function
from nnxp.kernels import vocabulary as xp
from nnxp.typing import Array, Column, Row

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""α and λ of Klambauer et al. 2017 (arXiv:1706.02515), equation 14, to float64."""
GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


# --- shaping ---------------------------------------------------------------------------------------


def add_row(z: Array, b: Row) -> Array:
    """z + b, a dense layer's bias."""
    return z + b


def scaled_add_row(z: Array, b: Row, scale: float) -> Array:
    """z · scale + b, a dense layer's in neural-tangent form: scale = 1 / √n_in. Jacot et al. 2018 (arXiv:1806.07572),
    section 2."""
    return z * scale + b


def scale_columns(x: Array, scale: Row) -> Array:
    """x · scale, each feature by its factor. It is its own gradient, of dy."""
    return x * scale


def product(x: Array, dy: Array) -> Array:
    """x · dy, whose sums over the rows are the gradient of the factors of `scale_columns`."""
    return x * dy


def scale_rows(dx: Array, w: Column) -> Array:
    """dx · w, each sample's gradient by its weight."""
    return dx * w


def inverse_or_one(x: Array) -> Array:
    """1 / x where x is above 0, else 1: what weights are multiplied by to be shares of their sum."""
    return 1 / xp.where(x > 0, x, 1)


def times(x: Array, factor: float) -> Array:
    """x · factor, a number of the host: a batch's shares by its heft, or a sum over outputs made a mean."""
    return x * factor


def residual(x: Array, f: Array) -> Array:
    """x + f(x): He et al. 2016 (arXiv:1512.03385), equation 1; in equation 2 x is a projection. Backward too is a sum,
    of what both ways give."""
    return x + f


SQUARED_AS_THEY_ARE = 2.0**-40, 2.0**20
"""Where the largest of some numbers lies between these, the sum of their squares neither overflows nor loses one that
counts."""


def norm_unit(largest: Array, least: float, low: float, high: float) -> Array:
    """u, what numbers are divided by before they are squared: 1 where the largest magnitude is within [low, high], else
    what brings it there (Blue 1978, A portable Fortran program to find the Euclidean norm of a vector). `least` is the
    dtype's smallest normal number, for the largest of numbers that are all 0."""
    largest = xp.maximum(largest, least)
    return largest / xp.minimum(xp.maximum(largest, low), high)


def norm_factor(unit: Row, squares: Array, bound: float) -> Array:
    """min(u, bound / √s) for numbers of the norm u √s: what they are multiplied by once they were divided by u, to be
    of the norm `bound`, or as they were where that is shorter (Pascanu et al. 2013, algorithm 1). A root below 1 and
    below the bound is of numbers that stay as they were: it is taken larger, so that nothing overflows."""
    return xp.minimum(unit, bound / xp.maximum(xp.sqrt(squares), xp.minimum(bound, 1.0)))


def shortened(g: Array, unit: Row, factor: Row) -> Array:
    """g/u · factor, a gradient clipped by its norm. The two as one number might be beyond the dtype."""
    return g / unit * factor


def add_scaled(total: Array, g: Array, factor: Row) -> Array:
    """total + g · factor, a micro-batch's gradient added to those of the others."""
    return total + g * factor


def clipped(g: Array, bound: float) -> Array:
    """g, limited to [-bound, bound] element by element."""
    return xp.maximum(xp.minimum(g, bound), -bound)


def rescale(x: Array, scale: Row, offset: Row) -> Array:
    """x · scale + offset."""
    return x * scale + offset


def rescale_grad(dy: Array, scale: Row) -> Array:
    """dy · scale."""
    return scale_columns(dy, scale)


def without_tiny(dx: Array, coarse: float) -> Array:
    """(dx + c) - c: what is below εc/4, ε the dtype's, becomes 0; nothing moves by more than εc/2 or a rounding."""
    return dx + coarse - coarse


def dropout(x: Array, kept: Array, scale: float) -> Array:
    """x · scale where kept, else 0, with scale = 1 / (1 - rate): inverted dropout
    (Srivastava et al. 2014, section 10). It is its own gradient, of dy."""
    return xp.where(kept, x * scale, 0)


def regularized_grad(dw: Array, w: Array, l1: float, l2: float) -> Array:
    """dw + l1 · sign(w) + 2 · l2 · w, the gradient of l1 Σ|w| + l2 Σw² added to the loss's."""
    return dw + l1 * xp.sign(w) + 2 * l2 * w


# --- normalisation ---------------------------------------------------------------------------------


def inverse_deviation(v: Array, epsilon: float) -> Array:
    """1 / √(v + ε), of a variance v."""
    return 1 / xp.sqrt(v + epsilon)


def squared_deviation(x: Array, mean: Row) -> Array:
    """(x - μ)²: a feature's variance is the mean of these."""
    return (x - mean) * (x - mean)


def batch_norm(x: Array, mean: Row, scale: Row, gain: Row, bias: Row) -> tuple[Array, Array]:
    """x̂ = (x - μ) · s and γx̂ + β, with s of `inverse_deviation`. Ioffe and Szegedy 2015 (arXiv:1502.03167),
    algorithm 1."""
    normalized = (x - mean) * scale
    return normalized, normalized * gain + bias


def batch_norm_dinputs(
    normalized: Array, dy: Array, scale: Row, gain: Row, dgain: Row, dbias: Row, share: float
) -> Array:
    """γs · (dy - (dβ + x̂ dγ) / n) with share = 1/n: the chain rule of the paper's section 3, in which μ and
    s depend on every row; share = 0 where they are constants."""
    return (dy - share * (dbias + normalized * dgain)) * scale * gain


def running_moments(
    m: Array, v: Array, new_m: Array, new_v: Array, momentum: float, correction: float
) -> tuple[Array, Array]:
    """(1 - α)m + αμ and (1 - α)v + ασ² · n/(n - 1), with correction = n/(n - 1): PyTorch's variant, α the share of
    the new, the variance unbiased as in algorithm 2 of Ioffe and Szegedy 2015."""
    return (1 - momentum) * m + momentum * new_m, (1 - momentum) * v + momentum * correction * new_v


def layer_norm(x: Array, mean: Column, scale: Column, gain: Row, bias: Row) -> tuple[Array, Array]:
    """`batch_norm` with each row's own μ and s. Ba et al. 2016 (arXiv:1607.06450), equation 4, with ε."""
    return batch_norm(x, mean, scale, gain, bias)


def layer_norm_dinputs(
    normalized: Array, dy: Array, scale: Column, gain: Row, mean_grad: Column, mean_product: Column
) -> Array:
    """s · (γdy - a - x̂b) with a = Σⱼ γⱼdyⱼ / m and b = Σⱼ γⱼdyⱼx̂ⱼ / m: the same chain rule, along a row."""
    return (dy * gain - (mean_grad + normalized * mean_product)) * scale


# --- embeddings ------------------------------------------------------------------------------------


def angle(x: Array, frequency: Row, phase: Row) -> Array:
    """2πwx + b. Gorishniy et al. 2022 (arXiv:2203.05556), section 3.3, with a phase."""
    return 2 * math.pi * (x * frequency) + phase


def cosine(x: Array) -> Array:
    """cos x."""
    return xp.cos(x)


def cosine_grad(x: Array, dy: Array) -> Array:
    """-sin x · dy."""
    return -xp.sin(x) * dy


def piece(x: Array, start: Row, slope: Row, least: Row, most: Row) -> Array:
    """(x - e) / (e' - e), the share of a bin from e to e' that lies below x, with slope = 1 / (e' - e), held within
    [least, most]: [0, 1] but for the first and the last bin. Gorishniy et al. 2022, equation 1."""
    return xp.minimum(xp.maximum((x - start) * slope, least), most)


def piece_grad(y: Array, dy: Array, slope: Row, least: Row, most: Row) -> Array:
    """dy / (e' - e) where y was not held, else 0; 0 at the kinks."""
    return xp.where((y > least) & (y < most), dy * slope, 0)


# --- activations -----------------------------------------------------------------------------------


def parametric(y: Array, x: Array, alpha: Row) -> Array:
    """x + α(y - x) of an activation y = f(x): its share α is learned. α = 1 is f, α = 0 the identity. Holzmüller et al.
    2024 (arXiv:2407.04491)."""
    return x + alpha * (y - x)


def parametric_and_difference(y: Array, x: Array, alpha: Row) -> tuple[Array, Array]:
    """`parametric`, and y - x, which α's gradient is of."""
    return parametric(y, x, alpha), y - x


def parametric_dinputs(dx: Array, dy: Array, alpha: Row) -> Array:
    """dy + α(dx - dy), with dx = f'(x) dy."""
    return dy + alpha * (dx - dy)


def relu(x: Array) -> Array:
    """max(0, x). Nair and Hinton 2010."""
    return xp.maximum(x, 0)


def relu_grad(y: Array, dy: Array) -> Array:
    """dy where y > 0, else 0; 0 at the kink."""
    return xp.where(y > 0, dy, 0)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x > 0, else slope · x. Maas et al. 2013."""
    return xp.where(x > 0, x, slope * x)


def leaky_relu_grad(x: Array, dy: Array, slope: float) -> Array:
    """dy where x > 0, else slope · dy; slope at the kink."""
    return xp.where(x > 0, dy, slope * dy)


def elu(x: Array, alpha: float) -> Array:
    """x where x > 0, else α(eˣ - 1). Clevert et al. 2016 (arXiv:1511.07289), equation 15."""
    return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0))


def elu_grad(x: Array, dy: Array, alpha: float) -> Array:
    """dy where x > 0, else α eˣ dy."""
    return xp.where(x > 0, dy, dy * alpha * xp.exp(xp.minimum(x, 0)))


def selu(x: Array) -> Array:
    """λ · elu(x, α). Klambauer et al. 2017 (arXiv:1706.02515), equation 2."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_grad(y: Array, dy: Array) -> Array:
    """λ dy where y > 0, else λα eˣ dy = (y + λα) dy."""
    return dy * xp.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), from e^-|x|, which never overflows and keeps small values exact."""
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_grad(y: Array, dy: Array) -> Array:
    """dy · y(1 - y)."""
    return dy * y * (1 - y)


def tanh(x: Array) -> Array:
    """tanh x."""
    return xp.tanh(x)


def tanh_grad(y: Array, dy: Array) -> Array:
    """dy · (1 - y²)."""
    return dy * (1 - y * y)


def softplus(x: Array) -> Array:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|). Dugas et al. 2001."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def softplus_grad(x: Array, dy: Array) -> Array:
    """dy · sigmoid(x)."""
    return dy * sigmoid(x)


def silu(x: Array) -> Array:
    """x · sigmoid(x). Hendrycks and Gimpel 2016 (arXiv:1606.08415); also called swish."""
    return x * sigmoid(x)


def silu_grad(x: Array, dy: Array) -> Array:
    """dy · s(1 + x(1 - s)) with s = sigmoid(x) and 1 - s = sigmoid(-x)."""
    return dy * sigmoid(x) * (1 + x * sigmoid(-x))


def mish(x: Array) -> Array:
    """x · tanh(softplus(x)). Misra 2019 (arXiv:1908.08681), equation 1. With n = (1 + eˣ)² - 1 = eˣ(eˣ + 2) the tanh is
    n / (n + 2), which is 1 in float64 from x = 20 on, so x is taken up to 40 in it."""
    e = xp.exp(xp.minimum(x, 40))
    n = e * (e + 2)
    u = 1 / (n + 2)
    return x * (n * u)


def mish_grad(x: Array, dy: Array) -> Array:
    """dy · (t + x(1 - t²) sigmoid(x)) with t = tanh(softplus(x)) = n / (n + 2), of which
    (1 - t²) sigmoid(x) = 4eˣ(eˣ + 1) / (n + 2)² = 4(n - eˣ) / (n + 2)²."""
    z = xp.minimum(x, 40)
    e = xp.exp(z)
    n = e * (e + 2)
    u = 1 / (n + 2)
    return dy * (n * u + z * (4 * ((n - e) * u * u)))


def gelu(x: Array) -> Array:
    """x Φ(x) = x/2 · (1 + erf(x/√2)), exact. Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2."""
    return 0.5 * x * (1 + xp.erf(x * math.sqrt(0.5)))


def gelu_grad(x: Array, dy: Array) -> Array:
    """dy · (Φ(x) + x φ(x)), φ the normal density, which is 0 in float64 beyond |x| = 40."""
    z = xp.minimum(xp.abs(x), 40)
    density = xp.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
    return dy * (0.5 * (1 + xp.erf(x * math.sqrt(0.5))) + x * density)


def gelu_tanh(x: Array) -> Array:
    """x/2 · (1 + tanh(√(2/π)(x + 0.044715x³))), the paper's approximation of `gelu`.
    Beyond |x| = 10 the tanh is ±1 in float64, so x³ is taken within that."""
    z = xp.maximum(xp.minimum(x, 10), -10)
    return 0.5 * x * (1 + xp.tanh(GELU_SCALE * (z + GELU_CUBIC * z * z * z)))


def gelu_tanh_grad(x: Array, dy: Array) -> Array:
    """dy · ((1 + t)/2 + x/2 · (1 - t²) √(2/π)(1 + 3 · 0.044715x²)) with t the tanh of `gelu_tanh`."""
    z = xp.maximum(xp.minimum(x, 10), -10)
    t = xp.tanh(GELU_SCALE * (z + GELU_CUBIC * z * z * z))
    return dy * (0.5 * (1 + t) + 0.5 * x * ((1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z)))


# --- losses, before the mean over a sample's outputs -----------------------------------------------


def squared_error(p: Array, y: Array) -> Array:
    """(p - y)²."""
    return (p - y) * (p - y)


def squared_error_grad(p: Array, y: Array) -> Array:
    """2(p - y)."""
    return 2 * (p - y)


def absolute_error(p: Array, y: Array) -> Array:
    """|p - y|."""
    return xp.abs(p - y)


def absolute_error_grad(p: Array, y: Array) -> Array:
    """sign(p - y); 0 at the kink."""
    return xp.sign(p - y)


def huber(p: Array, y: Array, delta: float) -> Array:
    """e²/2 where |e| ≤ δ, else δ(|e| - δ/2), with e = p - y. Huber 1964, equation 2.4 (as δ(·)).
    Written as c(|e| - c/2) with c = min(|e|, δ), so that nothing large is squared."""
    e = xp.abs(p - y)
    c = xp.minimum(e, delta)
    return c * (e - 0.5 * c)


def huber_grad(p: Array, y: Array, delta: float) -> Array:
    """e, limited to [-δ, δ]."""
    return clipped(p - y, delta)


def poisson(p: Array, y: Array) -> Array:
    """eᵖ - y - y(p - log y), 0 log 0 being 0: half the deviance of a count y from the rate eᵖ. McCullagh and Nelder
    1989, section 2.3.1. NaN where y < 0."""
    return xp.exp(p) - y - y * (p - xp.log(xp.where(y == 0, 1, y)))


def poisson_grad(p: Array, y: Array) -> Array:
    """eᵖ - y."""
    return xp.exp(p) - y


def squared_error_of_rate(p: Array, y: Array) -> Array:
    """(eᵖ - y)²."""
    return squared_error(xp.exp(p), y)


def binary_crossentropy(p: Array, y: Array, epsilon: float) -> Array:
    """-(y log p + (1 - y) log(1 - p)), p taken within [ε, 1 - ε]."""
    p = xp.maximum(xp.minimum(p, 1 - epsilon), epsilon)
    return -(y * xp.log(p) + (1 - y) * xp.log1p(-p))


def binary_crossentropy_grad(p: Array, y: Array, epsilon: float) -> Array:
    """(p - y) / (p(1 - p)), p taken within [ε, 1 - ε]."""
    p = xp.maximum(xp.minimum(p, 1 - epsilon), epsilon)
    return (p - y) / (p * (1 - p))


def sigmoid_crossentropy(z: Array, y: Array) -> Array:
    """`binary_crossentropy` of sigmoid(z): max(z, 0) - zy + log(1 + e^-|z|), which cannot overflow."""
    return xp.maximum(z, 0) - z * y + xp.log1p(xp.exp(-xp.abs(z)))


def sigmoid_crossentropy_grad(z: Array, y: Array) -> Array:
    """sigmoid(z) - y."""
    return sigmoid(z) - y


def hit_by_probability(p: Array, y: Array) -> Array:
    """1 where p and y are on the same side of 1/2, each with no more than that, else 0."""
    return xp.where((p > 0.5) ^ (y > 0.5), 0 * y, 1)  # of the type of y


def hit_by_logit(z: Array, y: Array) -> Array:
    """`hit_by_probability` of sigmoid(z)."""
    return xp.where((z > 0) ^ (y > 0.5), 0 * y, 1)


# --- optimizers, in order of increasing complexity -------------------------------------------------


def sgd(w: Array, g: Array, lr: float) -> Array:
    """w - lr · g."""
    return w - lr * g


def momentum(w: Array, g: Array, m: Array, lr: float, beta: float, *, nesterov: bool) -> tuple[Array, Array]:
    """m = βm + lr · g; w - m: the learning rate inside the momentum (Polyak 1964).
    Nesterov: w - (βm + lr · g), the form of Sutskever et al. 2013 rewritten for the look-ahead weights."""
    m = beta * m + lr * g
    if nesterov:
        return w - (beta * m + lr * g), m
    return w - m, m


def adagrad(w: Array, g: Array, c: Array, lr: float, epsilon: float) -> tuple[Array, Array]:
    """c = c + g²; w - lr · g / (√c + ε). Duchi et al. 2011, with ε outside the root."""
    c = c + g * g
    return w - lr * g / (xp.sqrt(c) + epsilon), c


def rmsprop(w: Array, g: Array, c: Array, lr: float, rho: float, epsilon: float) -> tuple[Array, Array]:
    """c = ρc + (1 - ρ)g²; w - lr · g / (√c + ε). Hinton 2012, lecture 6e, with ε outside the root."""
    c = rho * c + (1 - rho) * g * g
    return w - lr * g / (xp.sqrt(c) + epsilon), c


def adam(
    w: Array,
    g: Array,
    m: Array,
    c: Array,
    lr: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    correction_1: float,
    correction_2: float,
) -> tuple[Array, Array, Array]:
    """m = β₁m + (1 - β₁)g; c = β₂c + (1 - β₂)g²; w - lr · m̂ / (√ĉ + ε) with m̂ = m / (1 - β₁ᵗ) and
    ĉ = c / (1 - β₂ᵗ). Kingma and Ba 2015 (arXiv:1412.6980), algorithm 1, not its
    rearrangement: ε is not scaled. lr / (1 - β₁ᵗ) is one number."""
    m = beta_1 * m + (1 - beta_1) * g
    c = beta_2 * c + (1 - beta_2) * g * g
    return w - lr / correction_1 * m / (xp.sqrt(c / correction_2) + epsilon), m, c


def adamw(
    w: Array,
    g: Array,
    m: Array,
    c: Array,
    lr: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    correction_1: float,
    correction_2: float,
    weight_decay: float,
) -> tuple[Array, Array, Array]:
    """`adam` from w - lr · λ · w: the decay beside the gradient, not in it. Loshchilov and Hutter 2019
    (arXiv:1711.05101), algorithm 2, the decay multiplied by the learning rate as in PyTorch."""
    w = w - lr * weight_decay * w
    return adam(w, g, m, c, lr, beta_1, beta_2, epsilon, correction_1, correction_2)


def lion(
    w: Array, g: Array, m: Array, lr: float, beta_1: float, beta_2: float, weight_decay: float
) -> tuple[Array, Array]:
    """w - lr · (sign(β₁m + (1 - β₁)g) + λw); m = β₂m + (1 - β₂)g. Chen et al. 2023 (arXiv:2302.06675),
    algorithm 2."""
    u = xp.sign(beta_1 * m + (1 - beta_1) * g)
    return w - lr * (u + weight_decay * w), beta_2 * m + (1 - beta_2) * g


def moving_average(m: Array, w: Array, beta: float) -> Array:
    """m + (1 - β)(w - m) = βm + (1 - β)w: weights that stand still are their own average."""
    return m + (1 - beta) * (w - m)


# --- chance ----------------------------------------------------------------------------------------

GAMMA = -0x61C8864680B583EB
"""SplitMix64's increment 0x9E3779B97F4A7C15, as a signed integer."""


def splitmix64(z: Array) -> Array:
    """The finaliser of SplitMix64 on signed 64-bit integers that wrap around: two xor-shifts with a
    multiplication each and a third xor-shift. Steele, Lea and Flood 2014, figure 14 with the constants
    of Stafford's mix 13. A right shift of a negative number fills with ones: the mask takes them off."""
    z = splitmix64_top(z)
    return z ^ ((z >> 31) & 0x1FFFFFFFF)


def splitmix64_top(z: Array) -> Array:
    """`splitmix64` but for its last xor-shift, which leaves the top 31 bits as they are."""
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    return (z ^ ((z >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15


def hashed(c: Array, key: int) -> Array:
    """splitmix64(c + key): the number of a key whose counter, times γ, is c."""
    return splitmix64(c + key)


def kept(c: Array, key: int, threshold: int) -> Array:
    """Whether the top 24 bits of `hashed` are below the threshold: dropout's mask."""
    return ((splitmix64_top(c + key) >> 40) & 0xFFFFFF) < threshold


def kept_beside(c: Array, key: Row, threshold: Row) -> Array:
    """`kept` with a key and a threshold for each column: the masks of several networks side by side."""
    return kept(c, key, threshold)


# --- the error function ----------------------------------------------------------------------------


def erf(x: Array) -> Array:
    """2/√π ∫₀ˣ exp(-t²) dt by rational approximations (Cody, Mathematics of Computation 23, 1969, pages
    631-637): x P(x²)/Q(x²) up to 0.46875, 1 - exp(-x²) P(x)/Q(x) up to 4, and beyond
    1 - exp(-x²) (1/√π - r P(r)/Q(r)) / x with r = 1/x². Each piece is kept within its own interval."""
    return error_function.erf(x, xp)
