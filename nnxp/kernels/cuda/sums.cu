// Sums over all elements of a vector, in one launch: each block adds up its share, the last one the blocks' totals.

// Combines the threads' x over the grid; true in the block that then has it.
template <typename Combine>
__device__ bool over_grid(T& x, Combine combine, volatile T* partial, unsigned* finished)
{
    x = over_block(x, T(0), combine);
    if (gridDim.x == 1) return true;
    if (threadIdx.x == 0) partial[blockIdx.x] = x;
    if (!is_last_block(finished, gridDim.x)) return false;
    x = 0;
    for (unsigned k = threadIdx.x; k < gridDim.x; k += blockDim.x) x = combine(T(partial[k]), x);
    x = over_block(x, T(0), combine);
    return true;
}

__device__ T unit_of(T largest, T low, T high)
{
    return largest / (largest < low ? low : largest > high ? high : largest);
}

__device__ T factor_of(T unit, T squares, T bound)
{
    const T factor = bound / larger(sqrt(squares), bound < T(1) ? bound : T(1));
    return factor > unit ? unit : factor;
}

// The sum, or the largest, of TERM, which is 0 at least, where x is an element of a, and what is done with it.
#define OVER_ALL(COMBINE, TERM, ENDING)                                                                       \
    const long long step = (long long)gridDim.x * blockDim.x;                                                 \
    T total = 0;                                                                                              \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {                  \
        const T x = a[i];                                                                                     \
        total = COMBINE(TERM, total);                                                                         \
    }                                                                                                         \
    if (over_grid(total, COMBINE, partial, finished) && threadIdx.x == 0) ENDING;

extern "C" __global__ void nnxp_squared_norm(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n)
{
    OVER_ALL(added, x * x, *out = total)
}

extern "C" __global__ void nnxp_absolute_sum(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n)
{
    OVER_ALL(added, abs(x), *out = total)
}

// What numbers are divided by before they are squared: 1 where the largest magnitude is within [low, high], else what
// brings it there.
extern "C" __global__ void nnxp_norm_unit(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n, const T least, const T low,
    const T high)
{
    OVER_ALL(larger, abs(x), *out = unit_of(larger(total, least), low, high))
}

// The squares of a / unit, and what shortens that to a norm of a of `bound`, or makes it a where a is shorter.
extern "C" __global__ void nnxp_clip_factor(
    const T* unit, T* factor, const T* a, T* out, volatile T* partial, unsigned* finished, const long long n,
    const T bound)
{
    const T u = *unit;
    OVER_ALL(added, (x / u) * (x / u), (*out = total, *factor = factor_of(u, total, bound)))
}

// A loss and the penalty of weights a.
extern "C" __global__ void nnxp_add_penalty(
    const T* loss, const T* a, T* out, volatile T* partial, unsigned* finished,
    const long long n, const T l1, const T l2)
{
    OVER_ALL(added, l1 * abs(x) + l2 * x * x, *out = *loss + total)
}

// out[k] = sum w a[k], a block for each of the vectors a (k, n); each has weights of its own where `step` is n, all the
// same where it is 0
extern "C" __global__ void nnxp_weighted_sum(const T* a, const T* w, T* out, const long long n, const long long step)
{
    T total = 0;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) total += w[blockIdx.x * step + i] * a[blockIdx.x * n + i];
    total = block_sum(total);
    if (threadIdx.x == 0) out[blockIdx.x] = total;
}

// out = w / sum w, 0 where that is 0; one block
extern "C" __global__ void nnxp_shares(const T* w, T* out, const long long n)
{
    T total = 0;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) total += w[i];
    total = block_sum(total);
    if (!(total > T(0))) total = 1;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) out[i] = w[i] / total;
}
