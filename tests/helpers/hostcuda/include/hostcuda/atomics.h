// Atomics, fences and cached loads. Threads take turns, so an ordinary read and write is atomic here.
#pragma once
#include "checks.h"
#include "threads.h"

#define HOSTCUDA_ATOMIC(name, T, stored)                                                           \
    HOSTCUDA_UNCHECKED __attribute__((noinline, unused)) static T name(T* address, T value) {      \
        hostcuda::check_atomic(address, sizeof(T));                                                \
        const T old = *address;                                                                    \
        *address = stored;                                                                         \
        return old;                                                                                \
    }
#define HOSTCUDA_INTEGER_ATOMICS(T)                            \
    HOSTCUDA_ATOMIC(atomicAdd, T, old + value)                 \
    HOSTCUDA_ATOMIC(atomicMin, T, value < old ? value : old)   \
    HOSTCUDA_ATOMIC(atomicMax, T, old < value ? value : old)   \
    HOSTCUDA_ATOMIC(atomicExch, T, value)                      \
    HOSTCUDA_ATOMIC(atomicAnd, T, old & value)                 \
    HOSTCUDA_ATOMIC(atomicOr, T, old | value)                  \
    HOSTCUDA_ATOMIC(atomicXor, T, old ^ value)                 \
    HOSTCUDA_UNCHECKED __attribute__((noinline, unused)) static T atomicCAS(T* address, T expected, T value) { \
        hostcuda::check_atomic(address, sizeof(T));            \
        const T old = *address;                                \
        if (old == expected) *address = value;                 \
        return old;                                            \
    }
HOSTCUDA_INTEGER_ATOMICS(int)
HOSTCUDA_INTEGER_ATOMICS(unsigned int)
HOSTCUDA_INTEGER_ATOMICS(unsigned long long)
HOSTCUDA_ATOMIC(atomicSub, int, old - value)
HOSTCUDA_ATOMIC(atomicSub, unsigned int, old - value)
HOSTCUDA_ATOMIC(atomicInc, unsigned int, old >= value ? 0u : old + 1)
HOSTCUDA_ATOMIC(atomicDec, unsigned int, old == 0 || old > value ? value : old - 1)
HOSTCUDA_ATOMIC(atomicAdd, float, old + value)
HOSTCUDA_ATOMIC(atomicAdd, double, old + value)
HOSTCUDA_ATOMIC(atomicExch, float, value)
#undef HOSTCUDA_INTEGER_ATOMICS
#undef HOSTCUDA_ATOMIC

template <class T>
static inline T __ldg(const T* address) { return *address; }

static inline void __threadfence() {}
static inline void __threadfence_block() {}
