// Sums over all elements of a vector, in one launch: each block adds up its share, the last one the blocks' totals.

__device__ bool grid_sum(T& total, volatile T* partial, unsigned* finished)  // true in the block that has the total
{
    total = block_sum(total);
    if (gridDim.x == 1) return true;
    if (threadIdx.x == 0) partial[blockIdx.x] = total;
    if (!is_last_block(finished, gridDim.x)) return false;
    total = 0;
    for (unsigned k = threadIdx.x; k < gridDim.x; k += blockDim.x) total += partial[k];
    total = block_sum(total);
    return true;
}

// The sum of TERM, where x is an element of a, and what becomes of it.
#define SUM_OF(TERM, RESULT)                                                                                  \
    const long long step = (long long)gridDim.x * blockDim.x;                                                 \
    T total = 0;                                                                                              \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {                  \
        const T x = a[i];                                                                                     \
        total += TERM;                                                                                        \
    }                                                                                                         \
    if (grid_sum(total, partial, finished) && threadIdx.x == 0) *out = RESULT;

extern "C" __global__ void nnxp_squared_norm(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n)
{
    SUM_OF(x * x, total)
}

extern "C" __global__ void nnxp_absolute_sum(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n)
{
    SUM_OF(abs(x), total)
}

// What shortens a gradient to the norm `bound`; 1 where it is shorter.
extern "C" __global__ void nnxp_clip_factor(
    const T* a, T* out, volatile T* partial, unsigned* finished, const long long n, const T bound)
{
    SUM_OF(x * x, bound / larger(sqrt(total), bound))
}

// A loss and the penalty of weights a.
extern "C" __global__ void nnxp_add_penalty(
    const T* loss, const T* a, T* out, volatile T* partial, unsigned* finished,
    const long long n, const T l1, const T l2)
{
    SUM_OF(l1 * abs(x) + l2 * x * x, *loss + total)
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
