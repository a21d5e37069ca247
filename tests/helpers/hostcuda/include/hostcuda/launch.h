// A kernel's entry points, which compiler.py adds after its source: how it is launched, and what it takes.
#pragma once
#include "checks.h"
#include "threads.h"

namespace hostcuda {

extern char* dynamic_shared __attribute__((visibility("hidden")));  // what `extern __shared__` names

// Runs a kernel, given as a function of its arguments' addresses; without fibers, it may not wait at a barrier.
__attribute__((visibility("hidden"))) int run_grid(const Launch& launch, void (*body)(void**), bool fibers);

template <class... Arguments, size_t... I>
HOSTCUDA_UNCHECKED inline void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    kernel(*reinterpret_cast<std::remove_reference_t<Arguments>*>(arguments[I])...);
}

template <class... Arguments>
HOSTCUDA_UNCHECKED inline void call(void (*kernel)(Arguments...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Arguments...>());
}

// The code of a type in a signature (abi.h).
template <class T>
HOSTCUDA_UNCHECKED int write_code(char* out, size_t room) {
    if constexpr (std::is_pointer_v<T>) {
        using To = std::remove_pointer_t<T>;
        int n = snprintf(out, room, std::is_const_v<To> ? "const " : "");
        if constexpr (std::is_void_v<To>) n += snprintf(out + n, room - n, "void");
        else n += write_code<std::remove_cv_t<To>>(out + n, room - n);
        return n + snprintf(out + n, room - n, "*");
    }
    const char kind = std::is_same_v<T, bool>           ? 'b'
                      : std::is_floating_point_v<T>     ? 'f'
                      : !std::is_arithmetic_v<T>        ? 'V'
                      : std::is_signed_v<T>             ? 'i'
                                                        : 'u';
    return snprintf(out, room, "%c%zu", kind, sizeof(T));
}

template <class... Arguments>
HOSTCUDA_UNCHECKED const char* signature(void (*)(Arguments...)) {
    static char text[24 * sizeof...(Arguments) + 1];
    char* out = text;
    ((out += write_code<std::remove_cv_t<Arguments>>(out, 24), *out++ = ','), ...);
    *(out > text ? out - 1 : out) = 0;
    return text;
}

}  // namespace hostcuda

// `kernel` may be an instance of a template; `alias` is the name that it is found under.
#define HOSTCUDA_KERNEL(alias, fibers, ...)                                                               \
    extern "C" HOSTCUDA_UNCHECKED int hostcuda_launch_##alias(const hostcuda::Launch* launch) {           \
        return hostcuda::run_grid(                                                                        \
            *launch, [](void** arguments) HOSTCUDA_UNCHECKED { hostcuda::call(&__VA_ARGS__, arguments); }, fibers); \
    }                                                                                                     \
    extern "C" HOSTCUDA_UNCHECKED const char* hostcuda_signature_##alias() {                              \
        return hostcuda::signature(&__VA_ARGS__);                                                         \
    }
