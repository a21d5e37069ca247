// What normalisation adds up, over the columns and over the rows of a matrix (n, m).

// The number of values, their mean, and the sum of the squares of what they are apart from it.
struct Moments {
    T n, mean, squares;
};

// Those of two sets together (Chan, Golub and LeVeque 1983).
__device__ Moments joined(Moments a, Moments b)
{
    if (b.n == T(0)) return a;
    const T n = a.n + b.n, apart = b.mean - a.mean, share = b.n / n;
    return {n, a.mean + apart * share, a.squares + b.squares + apart * apart * a.n * share};
}

// mean[j], variance[j] (biased) and scale[j] = 1 / sqrt(variance[j] + epsilon) of column j. A thread goes down its share
// of a column twice; a block joins those of its threads in order, the last block those of all, left in `partial`,
// (gridDim.y, m) three times. All count from row 0's value, so that a large mean costs no accuracy. n > 0.
extern "C" __global__ void nnxp_column_moments(
    const T* a, T* mean, T* variance, T* scale, volatile T* partial, unsigned* finished,
    const long long n, const long long m, const T epsilon)
{
    const long long j = (long long)blockIdx.x * COLUMNS + threadIdx.x, down = (long long)gridDim.y * ROWS;
    const long long first = (long long)blockIdx.y * ROWS + threadIdx.y;
    const T origin = j < m ? a[j] : T(0);
    Moments own = {0, 0, 0};
    if (j < m && first < n) {
        own.n = T((n - 1 - first) / down + 1);
        T total = 0;
        for (long long i = first; i < n; i += down) total += a[i * m + j] - origin;
        own.mean = total / own.n;
        for (long long i = first; i < n; i += down) {
            const T d = a[i * m + j] - origin - own.mean;
            own.squares += d * d;
        }
    }
    __shared__ T parts[3][ROWS][COLUMNS];
    parts[0][threadIdx.y][threadIdx.x] = own.n;
    parts[1][threadIdx.y][threadIdx.x] = own.mean;
    parts[2][threadIdx.y][threadIdx.x] = own.squares;
    __syncthreads();
    const bool joins = threadIdx.y == 0 && j < m;
    if (joins) {
        for (int k = 1; k < ROWS; k++) {
            own = joined(own, {parts[0][k][threadIdx.x], parts[1][k][threadIdx.x], parts[2][k][threadIdx.x]});
        }
    }
    if (gridDim.y > 1) {
        const long long size = gridDim.y * m;
        if (joins) {
            volatile T* left = partial + (long long)blockIdx.y * m + j;
            left[0] = own.n;
            left[size] = own.mean;
            left[2 * size] = own.squares;
        }
        if (!is_last_block(finished + blockIdx.x, gridDim.y)) return;
        if (joins) {
            own = {partial[j], partial[size + j], partial[2 * size + j]};
            for (unsigned k = 1; k < gridDim.y; k++) {
                volatile T* left = partial + k * m + j;
                own = joined(own, {left[0], left[size], left[2 * size]});
            }
        }
    }
    if (joins) {
        const T biased = own.squares / T(n);
        mean[j] = origin + own.mean;
        variance[j] = biased;
        scale[j] = T(1) / sqrt(biased + epsilon);
    }
}

// The same of row i; a block a row.
extern "C" __global__ void nnxp_row_moments(
    const T* a, T* mean, T* variance, T* scale, const long long n, const long long m, const T epsilon)
{
    for (long long i = blockIdx.x; i < n; i += gridDim.x) {
        const T* row = a + i * m;
        T total = 0, squares = 0;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) total += row[j];
        const T middle = block_sum(total) / T(m);
        for (long long j = threadIdx.x; j < m; j += blockDim.x) squares += (row[j] - middle) * (row[j] - middle);
        const T biased = block_sum(squares) / T(m);
        if (threadIdx.x == 0) {
            mean[i] = middle;
            variance[i] = biased;
            scale[i] = T(1) / sqrt(biased + epsilon);
        }
    }
}

// dgain[j] = sum over i of dy[i, j] x[i, j], dbias[j] = sum over i of dy[i, j]
extern "C" __global__ void nnxp_affine_grads(
    const T* x, const T* dy, T* dgain, T* dbias, volatile T* partial, unsigned* finished,
    const long long n, const long long m)
{
    const long long j = (long long)blockIdx.x * COLUMNS + threadIdx.x, down = (long long)gridDim.y * ROWS;
    T products = 0, total = 0;
    if (j < m) {
        for (long long i = (long long)blockIdx.y * ROWS + threadIdx.y; i < n; i += down) {
            products += dy[i * m + j] * x[i * m + j];
            total += dy[i * m + j];
        }
    }
    column_total(products, j, m, dgain, partial, finished);
    __syncthreads();  // its shared memory is used again
    column_total(total, j, m, dbias, partial + gridDim.y * m, finished + gridDim.x);
}

// g[i] = sum over j of gain[j] dy[i, j] / m, gx[i] = sum over j of gain[j] dy[i, j] x[i, j] / m; a block a row
extern "C" __global__ void nnxp_row_products(
    const T* x, const T* dy, const T* gain, T* g, T* gx, const long long n, const long long m)
{
    for (long long i = blockIdx.x; i < n; i += gridDim.x) {
        T total = 0, products = 0;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) {
            const T scaled = dy[i * m + j] * gain[j];
            total += scaled;
            products += scaled * x[i * m + j];
        }
        total = block_sum(total) / T(m);
        products = block_sum(products) / T(m);
        if (threadIdx.x == 0) {
            g[i] = total;
            gx[i] = products;
        }
    }
}
