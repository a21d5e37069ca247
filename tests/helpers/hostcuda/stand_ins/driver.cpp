// libcuda.so.1: the driver functions that CuPy calls, and the tool's own controls.
//
// A "cubin" is a short text here: "HOSTCUDA:" and the path of a shared object that compiler.py made. CuPy looks each
// function up by name and says which one is missing, so what it calls rarely is left out.
#include "state.h"

#include <cuda.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <sstream>
#include <vector>

#include "hostcuda/abi.h"

HOSTCUDA_API State* hostcuda_state() {
    static State* state = new State;  // never destroyed: CuPy frees memory while the process ends
    return state;
}
HOSTCUDA_API int* hostcuda_device() {
    static thread_local int device = 0;
    return &device;
}

static State& state() { return *hostcuda_state(); }
static CUresult fail(CUresult result, std::string message) {
    state().error = std::move(message);
    return result;
}

// ---- kernels

struct Kernel {
    std::string name;
    hostcuda::LaunchFunction launch;
    std::vector<bool> is_pointer;  // by argument
};

static std::vector<bool> pointers(const char* signature) {
    std::vector<bool> result;
    std::istringstream codes(signature);
    for (std::string code; std::getline(codes, code, ',');) result.push_back(code.back() == '*');
    return result;
}

HOSTCUDA_API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    Lock lock(state().mutex);
    const char* text = static_cast<const char*>(image);
    const char mark[] = "HOSTCUDA:";
    if (strncmp(text, mark, sizeof mark - 1))
        return fail(CUDA_ERROR_INVALID_IMAGE, "code compiled for a device cannot run on host memory");
    void* library = dlopen(text + sizeof mark - 1, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(CUDA_ERROR_INVALID_IMAGE, dlerror());
    *module = static_cast<CUmodule>(library);
    return CUDA_SUCCESS;
}
HOSTCUDA_API CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }  // its fibers may be in use

HOSTCUDA_API CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    Lock lock(state().mutex);
    auto find = [&](const char* what) { return dlsym(module, (what + std::string(name)).c_str()); };
    auto launch = reinterpret_cast<hostcuda::LaunchFunction>(find("hostcuda_launch_"));
    auto signature = reinterpret_cast<hostcuda::SignatureFunction>(find("hostcuda_signature_"));
    if (!launch || !signature) return fail(CUDA_ERROR_NOT_FOUND, std::string("no kernel named ") + name);
    *function = reinterpret_cast<CUfunction>(new Kernel{name, launch, pointers(signature())});
    return CUDA_SUCCESS;
}

HOSTCUDA_API CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                     unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                     CUstream, void** arguments, void**) {
    Lock lock(state().mutex);  // kernels run one at a time
    const auto& kernel = *reinterpret_cast<Kernel*>(function);
    state().counters.launches++;
    state().launches[kernel.name]++;
    if (state().null_launches) return CUDA_SUCCESS;
    for (size_t i = 0; i < kernel.is_pointer.size(); i++) {
        void* address = kernel.is_pointer[i] ? *static_cast<void**>(arguments[i]) : nullptr;
        if (address && !state().find(address, 0))
            return fail(CUDA_ERROR_ILLEGAL_ADDRESS,
                        kernel.name + ": argument " + std::to_string(i) + " points to memory that no device has");
    }
    char error[512] = "";
    const hostcuda::Launch launch = {arguments,     {grid_x, grid_y, grid_z}, {block_x, block_y, block_z},
                                     shared_bytes,  state().order,            /*strict=*/false,
                                     /*regions=*/nullptr, 0,                  error, sizeof error};
    if (kernel.launch(&launch)) return fail(CUDA_ERROR_LAUNCH_FAILED, kernel.name + ": " + error);
    return CUDA_SUCCESS;
}

HOSTCUDA_API CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction) {
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return CUDA_SUCCESS;
}
HOSTCUDA_API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int, size_t) {
    *blocks = 2;
    return CUDA_SUCCESS;
}

// ---- contexts and errors

HOSTCUDA_API CUresult cuCtxGetCurrent(CUcontext* context) {
    *context = reinterpret_cast<CUcontext>(uintptr_t(*hostcuda_device() + 1));
    return CUDA_SUCCESS;
}
HOSTCUDA_API CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
HOSTCUDA_API CUresult cuCtxGetDevice(CUdevice* device) {
    *device = *hostcuda_device();
    return CUDA_SUCCESS;
}
HOSTCUDA_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }
HOSTCUDA_API CUresult cuStreamGetCtx(CUstream, CUcontext* context) { return cuCtxGetCurrent(context); }

HOSTCUDA_API CUresult cuGetErrorName(CUresult error, const char** name) {
    switch (error) {
        case CUDA_ERROR_INVALID_IMAGE: *name = "CUDA_ERROR_INVALID_IMAGE"; break;
        case CUDA_ERROR_NOT_FOUND: *name = "CUDA_ERROR_NOT_FOUND"; break;
        case CUDA_ERROR_ILLEGAL_ADDRESS: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
        case CUDA_ERROR_LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
        default: *name = "CUDA_ERROR_UNKNOWN";
    }
    return CUDA_SUCCESS;
}
HOSTCUDA_API CUresult cuGetErrorString(CUresult, const char** text) {
    Lock lock(state().mutex);
    *text = state().error.c_str();
    return CUDA_SUCCESS;
}

// ---- the tool's own controls, for cupy_on_host.py

HOSTCUDA_API void hostcuda_set_devices(int devices) { state().devices = devices; }
HOSTCUDA_API void hostcuda_set_order(int order) { state().order = order; }
HOSTCUDA_API void hostcuda_set_null_launches(int on) { state().null_launches = on; }
HOSTCUDA_API void hostcuda_set_memory(size_t bytes) { state().total_bytes = bytes; }

HOSTCUDA_API void hostcuda_read_counters(Counters* counters, int reset) {
    Lock lock(state().mutex);
    *counters = state().counters;
    if (reset) {
        state().counters = {};
        state().launches.clear();
    }
}
// "name count" lines; the size that they need, which may be more than there was room for.
HOSTCUDA_API size_t hostcuda_read_kernels(char* text, size_t room) {
    Lock lock(state().mutex);
    std::string lines;
    for (auto& [name, launches] : state().launches) lines += name + " " + std::to_string(launches) + "\n";
    snprintf(text, room, "%s", lines.c_str());
    return lines.size() + 1;
}
