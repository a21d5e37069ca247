// CUDA's mathematics and bit intrinsics. What <math.h> declares (exp, tanhf, erff, isnan, ...) is used as it is, so
// results may differ from a device's in the last bits; the fast approximations (__expf) are the exact functions.
#pragma once
#include "types.h"

// glibc declares functions of these names; hence macros.
#define __expf expf
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
#define __powf powf

static inline float __fdividef(float x, float y) { return x / y; }
static inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }  // NaN gives 0
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }

// Arithmetic that the compiler may not contract.
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }

#define HOSTCUDA_MIN_MAX(T)                                  \
    static inline T min(T x, T y) { return y < x ? y : x; }  \
    static inline T max(T x, T y) { return x < y ? y : x; }
HOSTCUDA_MIN_MAX(int)
HOSTCUDA_MIN_MAX(unsigned int)
HOSTCUDA_MIN_MAX(long)
HOSTCUDA_MIN_MAX(unsigned long)
HOSTCUDA_MIN_MAX(long long)
HOSTCUDA_MIN_MAX(unsigned long long)
#undef HOSTCUDA_MIN_MAX
static inline float min(float x, float y) { return fminf(x, y); }  // of a number and NaN, the number
static inline float max(float x, float y) { return fmaxf(x, y); }
static inline double min(double x, double y) { return fmin(x, y); }
static inline double max(double x, double y) { return fmax(x, y); }

namespace hostcuda {
template <class To, class From>
static inline To bits(From value) {
    static_assert(sizeof(To) == sizeof(From));
    To result;
    memcpy(&result, &value, sizeof result);
    return result;
}
}  // namespace hostcuda
static inline float __int_as_float(int x) { return hostcuda::bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return hostcuda::bits<float>(x); }
static inline int __float_as_int(float x) { return hostcuda::bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return hostcuda::bits<unsigned>(x); }
static inline double __longlong_as_double(long long x) { return hostcuda::bits<double>(x); }
static inline long long __double_as_longlong(double x) { return hostcuda::bits<long long>(x); }

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __mul24(int x, int y) { return x * y; }
static inline unsigned __umulhi(unsigned x, unsigned y) { return ((unsigned long long)x * y) >> 32; }
static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return ((unsigned __int128)x * y) >> 64;
}
