// libcublas: products of float and double matrices on the host. All matrices are column-major, as cuBLAS's are.
// What CuPy links beside these, build.py fills with refusals.
#include "state.h"

#include <vector>

// cuBLAS's own types, reduced to what the calls pass (its headers come with a library of 400 MB).
using Status = int;
using Handle = void*;
using Transpose = int;  // 0: no
constexpr Status success = 0, invalid_value = 7, not_supported = 15;
enum DataType { real_32 = 0, real_64 = 1 };

static State& state() { return *hostcuda_state(); }
static int pointer_mode = 0, math_mode = 0;

template <class T>
struct Matrix {
    T* data;
    int leading;  // elements from one column to the next

    T* column(int j) const { return data + size_t(j) * leading; }
    bool on_device(int rows, int columns) const {
        if (rows == 0 || columns == 0) return true;
        return state().find(data, sizeof(T) * (size_t(leading) * (columns - 1) + rows));
    }
};

// c = alpha op(a) op(b) + beta c. The innermost loop runs down columns, so that it can be vectorised; sums are of
// blocks, so that long ones lose no more than the usual libraries' do.
template <class T>
static void multiply(Transpose ta, Transpose tb, int m, int n, int k, T alpha, Matrix<const T> a, Matrix<const T> b,
                     T beta, Matrix<T> c) {
    constexpr int block = 128;
    std::vector<T> panel(size_t(m) * block), sums(m);
    for (int j = 0; j < n; j++)  // beta = 0 overwrites, also NaN
        for (int i = 0; i < m; i++) c.column(j)[i] = beta == 0 ? T(0) : beta * c.column(j)[i];
    for (int first = 0; first < k; first += block) {
        const int terms = k - first < block ? k - first : block;
        for (int l = 0; l < terms; l++)
            for (int i = 0; i < m; i++)
                panel[size_t(l) * m + i] = ta ? a.column(i)[first + l] : a.column(first + l)[i];
        for (int j = 0; j < n; j++) {
            sums.assign(m, T(0));
            for (int l = 0; l < terms; l++) {
                const T factor = tb ? b.column(first + l)[j] : b.column(j)[first + l];
                const T* column = &panel[size_t(l) * m];
                for (int i = 0; i < m; i++) sums[i] += factor * column[i];
            }
            for (int i = 0; i < m; i++) c.column(j)[i] += alpha * sums[i];
        }
    }
}

template <class T>
static Status product(Transpose ta, Transpose tb, int m, int n, int k, const T* alpha, const T* a, int lda, const T* b,
                      int ldb, const T* beta, T* c, int ldc, int batches = 1, long long step_a = 0,
                      long long step_b = 0, long long step_c = 0) {
    Lock lock(state().mutex);
    state().counters.launches++;
    state().counters.products++;
    if (state().null_launches) return success;
    for (int i = 0; i < batches; i++) {
        const Matrix<const T> left{a + i * step_a, lda}, right{b + i * step_b, ldb};
        const Matrix<T> result{c + i * step_c, ldc};
        if (!left.on_device(ta ? k : m, ta ? m : k) || !right.on_device(tb ? n : k, tb ? k : n) ||
            !result.on_device(m, n))
            return invalid_value;
        multiply(ta, tb, m, n, k, *alpha, left, right, *beta, result);
    }
    return success;
}

template <class T>
static Status product_ex(Transpose ta, Transpose tb, int m, int n, int k, const void* alpha, const void* a, int lda,
                         long long step_a, const void* b, int ldb, long long step_b, const void* beta, void* c,
                         int ldc, long long step_c, int batches) {
    auto t = [](const void* pointer) { return static_cast<const T*>(pointer); };
    return product(ta, tb, m, n, k, t(alpha), t(a), lda, t(b), ldb, t(beta), static_cast<T*>(c), ldc, batches, step_a,
                   step_b, step_c);
}
HOSTCUDA_API Status cublasGemmStridedBatchedEx(Handle, Transpose ta, Transpose tb, int m, int n, int k,
                                               const void* alpha, const void* a, int type_a, int lda, long long step_a,
                                               const void* b, int type_b, int ldb, long long step_b, const void* beta,
                                               void* c, int type_c, int ldc, long long step_c, int batches, int, int) {
    if (type_a != type_b || type_a != type_c) return not_supported;
    if (type_a != real_32 && type_a != real_64) return not_supported;
    return (type_a == real_32 ? product_ex<float> : product_ex<double>)(
        ta, tb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, batches);
}
HOSTCUDA_API Status cublasGemmEx(Handle handle, Transpose ta, Transpose tb, int m, int n, int k, const void* alpha,
                                 const void* a, int type_a, int lda, const void* b, int type_b, int ldb,
                                 const void* beta, void* c, int type_c, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c,
                                      type_c, ldc, 0, 1, compute, algorithm);
}

HOSTCUDA_API Status cublasCreate_v2(Handle* handle) {
    *handle = reinterpret_cast<Handle>(1);
    return success;
}
HOSTCUDA_API Status cublasDestroy_v2(Handle) { return success; }
HOSTCUDA_API Status cublasGetVersion_v2(Handle, int* version) {
    *version = 130200;
    return success;
}
HOSTCUDA_API Status cublasSetStream_v2(Handle, void*) { return success; }
HOSTCUDA_API Status cublasGetStream_v2(Handle, void** stream) {
    *stream = nullptr;
    return success;
}
HOSTCUDA_API Status cublasSetPointerMode_v2(Handle, int mode) {
    pointer_mode = mode;
    return success;
}
HOSTCUDA_API Status cublasGetPointerMode_v2(Handle, int* mode) {
    *mode = pointer_mode;
    return success;
}
HOSTCUDA_API Status cublasSetMathMode(Handle, int mode) {
    math_mode = mode;
    return success;
}
HOSTCUDA_API Status cublasGetMathMode(Handle, int* mode) {
    *mode = math_mode;
    return success;
}
