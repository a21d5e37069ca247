// What the stand-ins for the runtime, the driver and cuBLAS share. It lives in the driver's (libcuda.so.1).
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#define HOSTCUDA_API extern "C" __attribute__((visibility("default")))

struct Block {
    size_t bytes;
    int device;
};

struct Counters {
    long launches = 0;  // kernels, products and fills
    long products = 0;  // of matrices, by cuBLAS
    long syncs = 0;     // the host waited for the device
    long d2h = 0, h2d = 0, d2d = 0;
    long mallocs = 0;   // cudaMalloc, not what CuPy's pool serves
};

struct State {
    std::recursive_mutex mutex;  // held by each entry point that reads or changes what follows
    int devices = 1;
    size_t total_bytes = size_t(8) << 30;
    size_t used_bytes[16] = {};
    std::map<uintptr_t, Block> blocks;  // by address
    Counters counters;
    std::map<std::string, long> launches;  // by kernel
    int order = 0;
    bool null_launches = false;
    std::string error;  // of the last driver call that failed

    // The block of device memory that holds these bytes, or null.
    const Block* find(const void* address, size_t bytes) const {
        auto after = blocks.upper_bound(reinterpret_cast<uintptr_t>(address));
        if (after == blocks.begin()) return nullptr;
        auto& [begin, block] = *--after;
        return reinterpret_cast<uintptr_t>(address) + bytes <= begin + block.bytes ? &block : nullptr;
    }
};

HOSTCUDA_API State* hostcuda_state();
HOSTCUDA_API int* hostcuda_device();  // this thread's current device

using Lock = std::lock_guard<std::recursive_mutex>;
