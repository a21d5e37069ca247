// The CUDA runtime over host memory, as far as CuPy uses it: "device" memory comes from the heap, each call is done
// when it returns, streams and events are names. Linked into a rebuilt cupy_backends.cuda.api.runtime, which has the
// runtime inside, so that it cannot be replaced from without. What is missing here, build.py fills with refusals.
#include "state.h"

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

static State& state() { return *hostcuda_state(); }
static int& device() { return *hostcuda_device(); }

static thread_local cudaError_t last_error = cudaSuccess;
static cudaError_t fail(cudaError_t error) { return last_error = error; }

// ---- errors and versions

HOSTCUDA_API const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess: return "cudaSuccess";
        case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
        case cudaErrorNoDevice: return "cudaErrorNoDevice";
        case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
        case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
        case cudaErrorNotSupported: return "cudaErrorNotSupported";
        default: return "cudaErrorUnknown";
    }
}
HOSTCUDA_API const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {  // the real runtime's words
        case cudaSuccess: return "no error";
        case cudaErrorInvalidValue: return "invalid argument";
        case cudaErrorMemoryAllocation: return "out of memory";
        case cudaErrorNoDevice: return "no CUDA-capable device is detected";
        case cudaErrorInvalidDevice: return "invalid device ordinal";
        case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
        case cudaErrorNotSupported: return "operation not supported";
        default: return "unknown error";
    }
}
HOSTCUDA_API cudaError_t cudaGetLastError() {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}
HOSTCUDA_API cudaError_t cudaDriverGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

// ---- devices

HOSTCUDA_API cudaError_t cudaGetDeviceCount(int* count) {
    *count = state().devices;
    return *count ? cudaSuccess : fail(cudaErrorNoDevice);
}
HOSTCUDA_API cudaError_t cudaGetDevice(int* number) {
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    *number = device();
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaSetDevice(int number) {
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    if (number < 0 || number >= state().devices) return fail(cudaErrorInvalidDevice);
    device() = number;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaDeviceSynchronize() {
    Lock lock(state().mutex);
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    state().counters.syncs++;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int number) {
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    if (number < 0 || number >= state().devices) return fail(cudaErrorInvalidDevice);
    switch (attribute) {  // compute capability 9.0
        case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
        case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        case cudaDevAttrMultiProcessorCount: *value = 4; break;
        case cudaDevAttrMaxThreadsPerBlock:
        case cudaDevAttrMaxBlockDimX:
        case cudaDevAttrMaxBlockDimY: *value = 1024; break;
        case cudaDevAttrMaxBlockDimZ: *value = 64; break;
        case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
        case cudaDevAttrMaxGridDimY:
        case cudaDevAttrMaxGridDimZ: *value = 65535; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 * 1024; break;
        case cudaDevAttrUnifiedAddressing: *value = 1; break;
        default: *value = 0;
    }
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int number) {
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    if (number < 0 || number >= state().devices) return fail(cudaErrorInvalidDevice);
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "hostcuda (this machine's processor)");
    properties->major = 9;
    properties->warpSize = 32;
    properties->multiProcessorCount = 4;
    properties->maxThreadsPerBlock = 1024;
    properties->totalGlobalMem = state().total_bytes;
    properties->sharedMemPerBlock = 48 * 1024;
    properties->maxGridSize[0] = 2147483647;
    properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 0;
    return cudaSuccess;
}

// ---- memory

HOSTCUDA_API cudaError_t cudaMalloc(void** address, size_t bytes) {
    Lock lock(state().mutex);
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    size_t& used = state().used_bytes[device()];
    if (bytes > state().total_bytes || used > state().total_bytes - bytes) return fail(cudaErrorMemoryAllocation);
    if (posix_memalign(address, 512, bytes ? bytes : 1)) return fail(cudaErrorMemoryAllocation);
    memset(*address, 0xff, bytes);  // what was never written reads as NaN
    state().blocks[reinterpret_cast<uintptr_t>(*address)] = {bytes, device()};
    used += bytes;
    state().counters.mallocs++;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaFree(void* address) {
    Lock lock(state().mutex);
    if (!address) return cudaSuccess;
    const auto found = state().blocks.find(reinterpret_cast<uintptr_t>(address));
    if (found == state().blocks.end()) return fail(cudaErrorInvalidValue);
    state().used_bytes[found->second.device] -= found->second.bytes;
    state().blocks.erase(found);
    free(address);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaMallocAsync(void** address, size_t bytes, cudaStream_t) {
    return cudaMalloc(address, bytes);
}
HOSTCUDA_API cudaError_t cudaFreeAsync(void* address, cudaStream_t) { return cudaFree(address); }
HOSTCUDA_API cudaError_t cudaHostAlloc(void** address, size_t bytes, unsigned) {
    return posix_memalign(address, 4096, bytes ? bytes : 1) ? fail(cudaErrorMemoryAllocation) : cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaFreeHost(void* address) {
    free(address);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
    Lock lock(state().mutex);
    if (state().devices == 0) return fail(cudaErrorNoDevice);
    const size_t used = state().used_bytes[device()];
    *total_bytes = state().total_bytes;
    *free_bytes = used < *total_bytes ? *total_bytes - used : 0;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
    Lock lock(state().mutex);
    const Block* block = state().find(address, 1);
    memset(attributes, 0, sizeof *attributes);
    attributes->type = block ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
    attributes->device = block ? block->device : -1;
    (block ? attributes->devicePointer : attributes->hostPointer) = const_cast<void*>(address);
    return cudaSuccess;
}

static cudaError_t copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, bool waits) {
    Lock lock(state().mutex);
    const bool from_device = state().find(from, bytes), to_device = state().find(to, bytes);
    if (kind == cudaMemcpyDefault) {
        if (!from_device && !to_device) return fail(cudaErrorNotSupported);
    } else {  // each end must be where the caller says it is
        const bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
        const bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
        if (from_device != says_from || to_device != says_to) return fail(cudaErrorIllegalAddress);
    }
    Counters& counters = state().counters;
    (from_device && to_device ? counters.d2d : from_device ? counters.d2h : counters.h2d)++;
    if (waits && !(from_device && to_device)) counters.syncs++;
    memmove(to, from, bytes);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    return copy(to, from, bytes, kind, /*waits=*/true);
}
HOSTCUDA_API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
    return copy(to, from, bytes, kind, /*waits=*/false);
}
// Between devices: CuPy asks for it when an array of one is copied to another.
HOSTCUDA_API cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) {
    return copy(to, from, bytes, cudaMemcpyDeviceToDevice, /*waits=*/true);
}
HOSTCUDA_API cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t) {
    return copy(to, from, bytes, cudaMemcpyDeviceToDevice, /*waits=*/false);
}
HOSTCUDA_API cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t) {
    Lock lock(state().mutex);
    if (!state().find(address, bytes)) return fail(cudaErrorIllegalAddress);
    state().counters.launches++;
    memset(address, value, bytes);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaMemset(void* address, int value, size_t bytes) {
    return cudaMemsetAsync(address, value, bytes, nullptr);
}

// ---- streams and events: there is nothing to wait for, but waiting is counted

HOSTCUDA_API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    Lock lock(state().mutex);
    static uintptr_t next = 16;  // the first numbers mean special streams
    *stream = reinterpret_cast<cudaStream_t>(next++);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithPriority(stream, 0, 0); }
HOSTCUDA_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    return cudaStreamCreateWithPriority(stream, flags, 0);
}
HOSTCUDA_API cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
HOSTCUDA_API cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaDeviceSynchronize(); }
HOSTCUDA_API cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
HOSTCUDA_API cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
HOSTCUDA_API cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
    *status = cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* data) {
    function(data);
    return cudaSuccess;
}

using Time = std::chrono::steady_clock::time_point;
static Time& time_of(cudaEvent_t event) { return *reinterpret_cast<Time*>(event); }

HOSTCUDA_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = reinterpret_cast<cudaEvent_t>(new Time);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
HOSTCUDA_API cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete &time_of(event);
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    time_of(event) = std::chrono::steady_clock::now();
    return cudaSuccess;
}
HOSTCUDA_API cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
HOSTCUDA_API cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaDeviceSynchronize(); }
HOSTCUDA_API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    *milliseconds = std::chrono::duration<float, std::milli>(time_of(end) - time_of(start)).count();
    return cudaSuccess;
}
