// What a kernel compiled with `sanitize=True` may not do, noticed at each of its loads and stores:
// reach outside its arguments and shared memory, write to a constant argument, read shared memory that nobody has
// written, and race: two threads of a block touch one address, one of them writing, with no barrier in between.
//
// g++ makes the calls: -fsanitize=thread one before each access, -fsanitize=bounds one where an index leaves its
// array. checks.cpp answers them; no sanitizer's library is linked.
#pragma once
#include <stddef.h>

namespace hostcuda {

#ifdef HOSTCUDA_CHECKED
constexpr bool checked = true;
#define HOSTCUDA_HIDDEN __attribute__((visibility("hidden")))
// For a launch: shared memory, of a size in the source and of the launch's. False if there is no memory for it.
HOSTCUDA_HIDDEN bool start_checking(char* shared, size_t shared_bytes, char* dynamic, size_t dynamic_bytes);
HOSTCUDA_HIDDEN void forget_shared_memory();  // before each block
HOSTCUDA_HIDDEN void stop_checking();
HOSTCUDA_HIDDEN void check_atomic(const void* address, size_t bytes);
#undef HOSTCUDA_HIDDEN
#else
constexpr bool checked = false;
inline bool start_checking(char*, size_t, char*, size_t) { return true; }
inline void forget_shared_memory() {}
inline void stop_checking() {}
inline void check_atomic(const void*, size_t) {}
#endif

}  // namespace hostcuda
