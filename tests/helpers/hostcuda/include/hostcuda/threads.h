// The threads of a block, as fibers: each runs until it waits at a barrier, then the next one takes its turn. Here is
// what a kernel calls; grid.cpp gives the turns.
#pragma once
#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>
#include "abi.h"
#include "types.h"

// For what is ours: checks.h watches what the kernel does.
#define HOSTCUDA_UNCHECKED __attribute__((no_sanitize("thread", "undefined")))

namespace hostcuda {

constexpr unsigned max_block = 1024;
constexpr unsigned warp_size = 32;
constexpr size_t stack_bytes = 256 * 1024;  // only what is touched takes memory

enum class State { ready, at_block_barrier, at_warp_barrier, done };

struct Fiber {
    ucontext_t start;
    jmp_buf here;
    char* stack = nullptr;
    bool entered = false;  // `here` says where to go on
    State state = State::ready;
    int line = 0;          // of the barrier it waits at
    unsigned mask = 0;     // of the warp barrier it waits at
    unsigned warp_barriers = 0;  // passed so far; orders what the lanes of a warp do
    unsigned long long lane_value;  // what a warp shuffle offers to the other lanes
};

// All state of the block that runs. One for the process, however many kernels are loaded (the linker makes an
// inline variable unique, across dlopen too), so that they share the fibers. Callers launch one kernel at a time.
struct Block {
    Fiber fibers[max_block];
    unsigned threads = 0;
    unsigned long long number = 0;   // of the block in the grid
    unsigned barriers = 0;           // that the block passed
    Fiber* current = nullptr;
    jmp_buf scheduler;
    void (*body)(void**) = nullptr;  // the kernel, given its arguments
    const Launch* launch = nullptr;
    bool failed = false;
};
inline Block block;

HOSTCUDA_UNCHECKED inline unsigned thread_number() { return block.current - block.fibers; }

template <class... Values>
HOSTCUDA_UNCHECKED void report(const char* format, Values... values) {
    if (block.failed) return;
    block.failed = true;
    snprintf(block.launch->error, block.launch->error_bytes, format, values...);
}

HOSTCUDA_UNCHECKED __attribute__((noinline)) inline void back_to_the_scheduler() {
    if (_setjmp(block.current->here) == 0) _longjmp(block.scheduler, 1);
}

// Ends the launch from within a thread.
template <class... Values>
HOSTCUDA_UNCHECKED void fail(const char* format, Values... values) {
    report(format, values...);
    _longjmp(block.scheduler, 1);
}

HOSTCUDA_UNCHECKED inline void wait(State state, int line, unsigned mask = 0) {
    Fiber& me = *block.current;
    me.state = state;
    me.line = line;
    me.mask = mask;
    back_to_the_scheduler();
}

// ---- what kernels call

HOSTCUDA_UNCHECKED inline unsigned lane() { return thread_number() % warp_size; }

// The value of lane `source` of this warp; this lane's own where that one does not take part.
template <class T>
HOSTCUDA_UNCHECKED inline T shuffled(unsigned mask, T value, unsigned source, int line) {
    static_assert(sizeof(T) <= sizeof(unsigned long long), "a shuffle moves 8 bytes at most");
    const unsigned me = thread_number(), from = me - me % warp_size + source % warp_size;
    if (!(mask >> me % warp_size & 1)) fail("lane %u calls the shuffle of line %d, but its mask %08x is without it",
                                            me % warp_size, line, mask);
    memcpy(&block.fibers[me].lane_value, &value, sizeof value);
    wait(State::at_warp_barrier, line, mask);
    T result = value;
    if (from < block.threads && mask >> source % warp_size & 1)
        memcpy(&result, &block.fibers[from].lane_value, sizeof result);
    wait(State::at_warp_barrier, line, mask);  // nobody overwrites a value before it was read
    return result;
}

// Lane numbers within segments of `width` lanes, as the shuffles count them.
HOSTCUDA_UNCHECKED inline unsigned lane_up(unsigned delta, unsigned width) {
    return lane() % width >= delta ? lane() - delta : lane();
}
HOSTCUDA_UNCHECKED inline unsigned lane_down(unsigned delta, unsigned width) {
    return lane() % width + delta < width ? lane() + delta : lane();
}
HOSTCUDA_UNCHECKED inline unsigned lane_xor(unsigned bits, unsigned width) {
    return (lane() ^ bits) / width <= lane() / width ? lane() ^ bits : lane();
}
HOSTCUDA_UNCHECKED inline unsigned lane_of(unsigned number, unsigned width) {
    return lane() / width * width + number % width;
}

HOSTCUDA_UNCHECKED inline unsigned ballot(unsigned mask, bool vote, int line) {
    const unsigned me = thread_number(), first = me - me % warp_size;
    block.fibers[me].lane_value = vote;
    wait(State::at_warp_barrier, line, mask);
    unsigned votes = 0;
    for (unsigned i = 0; i < warp_size && first + i < block.threads; i++)
        if (mask >> i & 1 && block.fibers[first + i].state != State::done)
            votes |= unsigned(block.fibers[first + i].lane_value) << i;
    wait(State::at_warp_barrier, line, mask);
    return votes;
}

}  // namespace hostcuda

#define __syncthreads() hostcuda::wait(hostcuda::State::at_block_barrier, __LINE__)
#define HOSTCUDA_SYNCWARP(mask, ...) hostcuda::wait(hostcuda::State::at_warp_barrier, __LINE__, mask)
#define __syncwarp(...) HOSTCUDA_SYNCWARP(__VA_ARGS__ __VA_OPT__(, ) 0xffffffffu)
// The optional last argument of the shuffles is the width of a segment: a power of two, 32 if not given.
#define HOSTCUDA_SHUFFLE(source, mask, value, number, width, ...) \
    hostcuda::shuffled(mask, value, hostcuda::source(number, width), __LINE__)
#define __shfl_sync(...) HOSTCUDA_SHUFFLE(lane_of, __VA_ARGS__, 32, 0)
#define __shfl_up_sync(...) HOSTCUDA_SHUFFLE(lane_up, __VA_ARGS__, 32, 0)
#define __shfl_down_sync(...) HOSTCUDA_SHUFFLE(lane_down, __VA_ARGS__, 32, 0)
#define __shfl_xor_sync(...) HOSTCUDA_SHUFFLE(lane_xor, __VA_ARGS__, 32, 0)
#define __ballot_sync(mask, vote) hostcuda::ballot(mask, vote, __LINE__)
#define __any_sync(mask, vote) (hostcuda::ballot(mask, vote, __LINE__) != 0)
#define __all_sync(mask, vote) (hostcuda::ballot(mask, !(vote), __LINE__) == 0)
