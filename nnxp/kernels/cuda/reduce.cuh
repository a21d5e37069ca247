// Sums and maxima over the threads of a block, and over the blocks of a grid. The order of the additions follows from
// the sizes alone, so that equal inputs give equal bits: nothing is added atomically.

#define INFINITE T(__longlong_as_double(0x7ff0000000000000LL))
const int WARP = 32;

__device__ T larger(T a, T b) { return a > b || a != a ? a : b; }  // NaN if either is
__device__ T added(T a, T b) { return a + b; }
__device__ long long smaller(long long a, long long b) { return a < b ? a : b; }

// The combination of every thread's x, in all of them. Blocks are rows of at most 32 whole warps.
template <typename X, typename Combine>
__device__ X over_block(X x, X neutral, Combine combine)
{
    __shared__ X parts[WARP];
    for (int step = WARP / 2; step > 0; step /= 2) x = combine(x, __shfl_xor_sync(0xffffffff, x, step));
    if (blockDim.x == WARP) return x;
    __syncthreads();  // parts may still be read from the last call
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = x;
    __syncthreads();
    x = threadIdx.x % WARP < blockDim.x / WARP ? parts[threadIdx.x % WARP] : neutral;
    for (int step = WARP / 2; step > 0; step /= 2) x = combine(x, __shfl_xor_sync(0xffffffff, x, step));
    return x;
}

__device__ T block_sum(T x) { return over_block(x, T(0), added); }
__device__ T block_max(T x) { return over_block(x, T(-INFINITE), larger); }
__device__ long long block_min(long long x) { return over_block(x, 0x7fffffffffffffffLL, smaller); }

// The first j whose row[j] is the largest; NaN counts as the largest.
__device__ long long first_of(const T* row, T largest, long long m)
{
    long long first = m;
    for (long long j = threadIdx.x; j < m && first == m; j += blockDim.x) {
        if (row[j] == largest || (largest != largest && row[j] != row[j])) first = j;
    }
    return block_min(first);
}

// Whether this block is the last of `blocks` to come here: it sees what the others wrote before. `finished` is 0
// before the first launch, and again after each.
__device__ bool is_last_block(unsigned* finished, unsigned blocks)
{
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        last = atomicAdd(finished, 1u) == blocks - 1;
        if (last) *finished = 0;
    }
    __syncthreads();
    return last;
}

// sums[j] from the totals of the threads, (ROWS, COLUMNS) a block, that went down column j: those of a block by way of
// shared memory, those of several blocks by way of `partial`, (gridDim.y, m), which the last of them adds up.
__device__ void column_total(T total, long long j, long long m, T* sums, volatile T* partial, unsigned* finished)
{
    __shared__ T parts[ROWS][COLUMNS];
    parts[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    const bool adds = threadIdx.y == 0 && j < m;
    if (adds) {
        for (int k = 1; k < ROWS; k++) total += parts[k][threadIdx.x];
        if (gridDim.y == 1) sums[j] = total;
        else partial[(long long)blockIdx.y * m + j] = total;
    }
    if (gridDim.y == 1 || !is_last_block(finished + blockIdx.x, gridDim.y)) return;
    if (adds) {
        total = 0;
        for (unsigned k = 0; k < gridDim.y; k++) total += partial[k * m + j];
        sums[j] = total;
    }
}
