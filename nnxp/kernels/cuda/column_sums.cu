// sums[j] = the sum of a[i, j] over the rows i of a (n, m).
extern "C" __global__ void nnxp_column_sums(const T* a, T* sums, volatile T* partial, unsigned* finished,
                                            const long long n, const long long m)
{
    const long long j = (long long)blockIdx.x * COLUMNS + threadIdx.x, down = (long long)gridDim.y * ROWS;
    T total = 0;
    if (j < m) {
        for (long long i = (long long)blockIdx.y * ROWS + threadIdx.y; i < n; i += down) total += a[i * m + j];
    }
    column_total(total, j, m, sums, partial, finished);
}
