// What a caller hands to a kernel that was compiled for the host: shared by the kernels, the driver's stand-in
// and kernel.py, which mirrors it with ctypes.
#pragma once
#include <cstddef>

namespace hostcuda {

enum Order : int { forward = 0, reverse = 1, shuffle = 2 };

// Memory that a checked kernel may reach through an argument.
struct Region {
    char* begin;
    size_t bytes;
    int argument;  // its position
    int writable;
};

struct Launch {
    void** arguments;  // each points to the argument's value
    unsigned grid[3];
    unsigned block[3];
    unsigned shared_bytes;  // of `extern __shared__` memory
    int order;              // in which the threads of a block, and the blocks, take their turns
    int strict;             // a thread that left the kernel before a barrier is an error
    const Region* regions;  // read by checked kernels only
    unsigned region_count;
    char* error;  // filled when the launch fails
    size_t error_bytes;
};

// `hostcuda_launch_NAME`: 0, or 1 with `error` filled.
using LaunchFunction = int (*)(const Launch*);

// `hostcuda_signature_NAME`: one code an argument, comma-separated. A number is its NumPy code ("f4", "i8", "b1"),
// a pointer that of what it points to and a star ("f4*", "const i4*"), anything else its size ("V24").
using SignatureFunction = const char* (*)();

}  // namespace hostcuda
