// bfloat16 as cupy/bfloat16.cuh needs it: the upper half of a float, rounded to nearest even.
#pragma once
#include "hostcuda/math.h"

struct __nv_bfloat16 {
    unsigned short bits = 0;
    __nv_bfloat16() = default;
    __nv_bfloat16(float x) {
        const unsigned u = hostcuda::bits<unsigned>(x);
        bits = x != x ? 0x7fc0 : static_cast<unsigned short>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
    }
    operator float() const { return hostcuda::bits<float>(static_cast<unsigned>(bits) << 16); }
};

static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short u) {
    __nv_bfloat16 x;
    x.bits = u;
    return x;
}
static inline bool __hisnan(__nv_bfloat16 x) { return isnan(static_cast<float>(x)); }
static inline int __hisinf(__nv_bfloat16 x) { return isinf(static_cast<float>(x)); }
