// Cross-entropy of softmax(z + b), its gradient times each row's factor and, where `hits` is given, whether the largest
// logit (the first of equals) is that of the label, 1 or 0: one pass, a block a row.
//
// z (n, m) then holds z + b, the k rows of b in turn. Where b is null there is no bias, where factors is null they are
// 1. Labels are those of `each` rows in turn, n / each of them.
//   losses[i] = log sum exp(z) - sum t z        dz[i, j] = (softmax(z)[j] - t[j]) factors[i]
// INDICES 1: labels (n,) of `Label` are class indices, t one-hot; one out of range makes its loss NaN and its gradient
// 0, and nothing is read by it. INDICES 0: labels (n, m) are the rows t, which sum to 1. Either is smoothed first, t to
// (1 - smoothing) t + smoothing / m.

__device__ T smoothed(T t, T smoothing, long long m) { return t * (T(1) - smoothing) + smoothing / T(m); }

extern "C" __global__ void nnxp_softmax_crossentropy(
    T* z, const T* b, const Label* labels, const T* factors, T* losses, T* dz, T* hits,
    const long long n, const long long m, const long long k, const long long each, const T smoothing)
{
    for (long long row = blockIdx.x; row < n; row += gridDim.x) {
        T* z_row = z + row * m;
        T* dz_row = dz + row * m;
        const T nan = T(0) / T(0);
        const T factor = factors ? factors[row] : T(1);
#if INDICES
        const long long label = labels[row / each];
        const bool valid = label >= 0 && label < m;
#define TARGET(j) smoothed((j) == label ? T(1) : T(0), smoothing, m)
#else
        const Label* label_row = labels + row / each * m;
        const bool valid = true;
#define TARGET(j) smoothed(label_row[j], smoothing, m)
#endif
        T highest = -INFINITE;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) {
            if (b) z_row[j] += b[row % k * m + j];  // a thread reads again only what it wrote itself
            highest = larger(z_row[j], highest);
        }
        highest = block_max(highest);

        T total = 0, dot = 0;
        for (long long j = threadIdx.x; j < m; j += blockDim.x) {
            const T shifted = z_row[j] - highest, t = TARGET(j), e = exp(shifted);
            dz_row[j] = e;
            total += e;
            dot += t != T(0) ? t * shifted : T(0);  // the logit of a class that is masked may be infinite
        }
        total = block_sum(total);
        dot = block_sum(dot);
        if (threadIdx.x == 0) losses[row] = valid ? log(total) - dot : nan;
        for (long long j = threadIdx.x; j < m; j += blockDim.x)
            dz_row[j] = valid ? (dz_row[j] / total - TARGET(j)) * factor : T(0);

        if (hits) {
            const long long guess = first_of(z_row, highest, m);
#if INDICES
            const long long truth = label;
#else
            T largest = -INFINITE;
            for (long long j = threadIdx.x; j < m; j += blockDim.x) largest = larger(label_row[j], largest);
            const long long truth = first_of(label_row, block_max(largest), m);
#endif
            if (threadIdx.x == 0) hits[row] = guess == truth ? T(1) : T(0);
        }
    }
}
