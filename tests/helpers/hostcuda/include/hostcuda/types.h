// CUDA's qualifiers, vector types and built-in variables.
#pragma once
#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <initializer_list>
#include <type_traits>
#include <utility>

#define __CUDACC_VER_MAJOR__ 13  // CuPy's headers ask for it

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __managed__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))

// One section for all shared arrays: launch.h fills it with 0xff before each block, since the device leaves there
// whatever the last block wrote. (`extern __shared__` is rewritten by compiler.py to a pointer.)
#define __shared__ static __attribute__((section("hostcuda_shared")))

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef long long longlong;
typedef unsigned long long ulonglong;

#define HOSTCUDA_VECTOR_TYPES(name, T, align2, align4)                     \
    struct alignas(align2) name##2 { T x, y; };                            \
    struct name##3 { T x, y, z; };                                         \
    struct alignas(align4) name##4 { T x, y, z, w; };                      \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; }      \
    static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
HOSTCUDA_VECTOR_TYPES(char, signed char, 2, 4)
HOSTCUDA_VECTOR_TYPES(uchar, unsigned char, 2, 4)
HOSTCUDA_VECTOR_TYPES(int, int, 8, 16)
HOSTCUDA_VECTOR_TYPES(uint, unsigned int, 8, 16)
HOSTCUDA_VECTOR_TYPES(longlong, long long, 16, 16)
HOSTCUDA_VECTOR_TYPES(float, float, 8, 16)
HOSTCUDA_VECTOR_TYPES(double, double, 16, 16)
#undef HOSTCUDA_VECTOR_TYPES

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

extern uint3 threadIdx __attribute__((visibility("hidden"))), blockIdx __attribute__((visibility("hidden")));
extern dim3 blockDim __attribute__((visibility("hidden"))), gridDim __attribute__((visibility("hidden")));
static const int warpSize = 32;
