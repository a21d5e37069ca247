// Products of blocks of columns, and a table's rows by codes. x is (n, d h), w (d, h, k), dy (n, d k); a thread an element
// of the result, which adds up its terms in order. From one row of w's matrices to the next are `rows` elements, from one
// matrix to the next `blocks`.

// out[i, j k + c] = sum over b of x[i, j h + b] w[j, b, c]
extern "C" __global__ void nnxp_block_products(
    const T* x, const T* w, T* out, const long long n, const long long d, const long long h, const long long k,
    const long long rows, const long long blocks)
{
    const long long step = (long long)gridDim.x * blockDim.x, all = n * d * k;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < all; at += step) {
        const long long c = at % k, j = at / k % d, i = at / (k * d);
        T total = 0;
        for (long long b = 0; b < h; b++) total += x[(i * d + j) * h + b] * w[j * blocks + b * rows + c];
        out[at] = total;
    }
}

// out[i, j h + b] = sum over c of dy[i, j k + c] w[j, b, c]
extern "C" __global__ void nnxp_block_dinputs(
    const T* dy, const T* w, T* out, const long long n, const long long d, const long long h, const long long k,
    const long long rows, const long long blocks)
{
    const long long step = (long long)gridDim.x * blockDim.x, all = n * d * h;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < all; at += step) {
        const long long b = at % h, j = at / h % d, i = at / (h * d);
        T total = 0;
        for (long long c = 0; c < k; c++) total += dy[(i * d + j) * k + c] * w[j * blocks + b * rows + c];
        out[at] = total;
    }
}

// out[j, b, c] = sum over i of x[i, j h + b] dy[i, j k + c]; a block an element, whose threads share the rows
extern "C" __global__ void nnxp_block_dweights(
    const T* x, const T* dy, T* out, const long long n, const long long d, const long long h, const long long k,
    const long long rows, const long long blocks)
{
    const long long all = d * h * k;
    for (long long at = blockIdx.x; at < all; at += gridDim.x) {
        const long long c = at % k, b = at / k % h, j = at / (k * h);
        T total = 0;
        for (long long i = threadIdx.x; i < n; i += blockDim.x) total += x[(i * d + j) * h + b] * dy[(i * d + j) * k + c];
        total = block_sum(total);
        if (threadIdx.x == 0) out[j * blocks + b * rows + c] = total;
    }
}

// rows[i, j] = first[j] + the whole number next to codes[i, j], where that is from 0 to sizes[j] - 1, else -1
extern "C" __global__ void nnxp_table_rows(
    const T* codes, const T* sizes, const long long* first, long long* rows, const long long n, const long long d)
{
    const long long step = (long long)gridDim.x * blockDim.x, all = n * d;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < all; at += step) {
        const T near = rint(codes[at]);
        const bool valid = near >= T(0) && near < sizes[at % d];
        rows[at] = valid ? first[at % d] + (long long)near : -1;
    }
}

// out[p k + c] = table[rows[p], c], NaN for row -1
extern "C" __global__ void nnxp_embedded(
    const T* table, const long long* rows, T* out, const long long places, const long long k)
{
    const long long step = (long long)gridDim.x * blockDim.x, all = places * k;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < all; at += step) {
        const long long row = rows[at / k];
        out[at] = row < 0 ? T(__longlong_as_double(0x7ff8000000000000LL)) : table[row * k + at % k];
    }
}

// out[r, c] = sum over i of dy[i, j k + c] where rows[i, j] is r, column j's part of the table being the one with r in it
extern "C" __global__ void nnxp_embedded_grad(
    const T* dy, const long long* rows, const long long* first, T* out, const long long n, const long long d,
    const long long k, const long long count)
{
    const long long step = (long long)gridDim.x * blockDim.x, all = count * k;
    for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < all; at += step) {
        const long long c = at % k, r = at / k;
        long long j = 0;
        while (j + 1 < d && first[j + 1] <= r) j++;
        T total = 0;
        for (long long i = 0; i < n; i++) {
            if (rows[i * d + j] == r) total += dy[(i * d + j) * k + c];
        }
        out[at] = total;
    }
}
