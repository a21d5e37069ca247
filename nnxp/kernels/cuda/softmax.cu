// Softmax and its gradient, a block a row; x is (n, m).

// out[j] = exp(x[j] - max x) / sum exp(x - max x)
extern "C" __global__ void nnxp_softmax(const T* x, T* out, const long long n, const long long m)
{
    for (long long row = blockIdx.x; row < n; row += gridDim.x) {
        const T* x_row = x + row * m;
        T* out_row = out + row * m;
        T highest = -INFINITE;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) highest = larger(x_row[j], highest);
        highest = block_max(highest);
        T total = 0;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) {
            const T e = exp(x_row[j] - highest);
            out_row[j] = e;
            total += e;
        }
        total = block_sum(total);
        for (long long j = threadIdx.x; j < m; j += blockDim.x) out_row[j] = out_row[j] / total;
    }
}

// out[j] = y[j] (dy[j] - sum dy y)
extern "C" __global__ void nnxp_softmax_grad(const T* y, const T* dy, T* out, const long long n, const long long m)
{
    for (long long row = blockIdx.x; row < n; row += gridDim.x) {
        const long long start = row * m;
        T dot = 0;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) dot += dy[start + j] * y[start + j];
        dot = block_sum(dot);
        for (long long j = threadIdx.x; j < m; j += blockDim.x) out[start + j] = y[start + j] * (dy[start + j] - dot);
    }
}
