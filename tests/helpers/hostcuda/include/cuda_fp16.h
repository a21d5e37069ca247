// Half precision as cupy/float16.cuh needs it: stored in 16 bits, computed in float.
#pragma once
#include "hostcuda/types.h"

struct __half_raw {
    unsigned short x;
};

struct half {
    _Float16 value;
    half() = default;
    half(float x) : value(static_cast<_Float16>(x)) {}
    template <class T, class = std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, float>>>
    explicit half(T x) : value(static_cast<_Float16>(x)) {}
    explicit half(const __half_raw& raw) { memcpy(&value, &raw.x, sizeof value); }
    operator float() const { return static_cast<float>(value); }
    operator __half_raw() const {
        __half_raw raw;
        memcpy(&raw.x, &value, sizeof value);
        return raw;
    }
};
typedef half __half;

static inline unsigned short __half_as_ushort(half x) { return static_cast<__half_raw>(x).x; }
static inline half __ushort_as_half(unsigned short x) { return half(__half_raw{x}); }
static inline float __half2float(half x) { return x; }
static inline half __float2half(float x) { return half(x); }
