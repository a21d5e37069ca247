// Runs the blocks of a grid, and gives the threads of each their turns. Compiled once; linked to every kernel.
//
// A fiber is entered once with setcontext; from then on _setjmp and _longjmp switch, because they make no system
// call. A fiber that finished the kernel starts over with the next block, so that only the first launch pays for
// making them.
#include <stdlib.h>
#include <numeric>

#include "hostcuda/launch.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

extern "C" char __start_hostcuda_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_hostcuda_shared[] __attribute__((weak, visibility("hidden")));

namespace hostcuda {

constexpr unsigned max_shared_bytes = 48 * 1024;
char* dynamic_shared = static_cast<char*>(aligned_alloc(128, max_shared_bytes));

static void fiber_main() {
    for (;;) {
        block.body(block.launch->arguments);
        block.current->state = State::done;
        back_to_the_scheduler();
    }
}

__attribute__((noinline)) static void resume(Fiber& fiber) {
    block.current = &fiber;
    if (_setjmp(block.scheduler) == 0) {
        if (fiber.entered) _longjmp(fiber.here, 1);
        fiber.entered = true;
        if (!fiber.stack) fiber.stack = static_cast<char*>(malloc(stack_bytes));
        getcontext(&fiber.start);
        fiber.start.uc_stack.ss_sp = fiber.stack;
        fiber.start.uc_stack.ss_size = stack_bytes;
        makecontext(&fiber.start, fiber_main, 0);
        setcontext(&fiber.start);
    }
    block.current = nullptr;
}

// The k-th of n in the order asked for; `shuffle` strides by a number that has no factor in common with n.
static unsigned long long in_order(unsigned long long k, unsigned long long n, int order) {
    if (order == reverse) return n - 1 - k;
    if (order != shuffle || n < 3) return k;
    unsigned long long stride = 7919 % n;
    while (std::gcd(stride, n) != 1) stride++;
    return (k % n * stride + 3) % n;
}

// Lets the lanes go on whose warp barrier all lanes of their mask have reached. A barrier with lanes that wait at
// another one, or another mask, fails.
static bool release_warps() {
    bool released = false;
    for (unsigned first = 0; first < block.threads; first += warp_size) {
        for (unsigned i = first; i < block.threads && i < first + warp_size; i++) {
            const Fiber& waiting = block.fibers[i];
            if (waiting.state != State::at_warp_barrier) continue;
            bool complete = true;
            for (unsigned lane = 0; lane < warp_size && first + lane < block.threads; lane++) {
                if (!(waiting.mask >> lane & 1)) continue;
                const Fiber& other = block.fibers[first + lane];
                if (other.state == State::done) continue;
                complete = complete && other.state == State::at_warp_barrier;
                if (other.state == State::at_warp_barrier &&
                    (other.line != waiting.line || other.mask != waiting.mask)) {
                    report("warp divergence: lanes of one warp wait at line %d and at line %d (masks %08x and %08x)",
                           waiting.line, other.line, waiting.mask, other.mask);
                    return false;
                }
            }
            if (!complete) continue;
            const unsigned mask = waiting.mask;
            for (unsigned lane = 0; lane < warp_size && first + lane < block.threads; lane++) {
                Fiber& other = block.fibers[first + lane];
                if (!(mask >> lane & 1) || other.state != State::at_warp_barrier) continue;
                other.state = State::ready;
                other.warp_barriers++;
            }
            released = true;
        }
    }
    return released;
}

// Lets all threads go on if all wait at the same block barrier.
static bool release_block() {
    unsigned waiting = 0, done = 0;
    const Fiber* first = nullptr;
    for (unsigned i = 0; i < block.threads; i++) {
        const Fiber& fiber = block.fibers[i];
        done += fiber.state == State::done;
        if (fiber.state != State::at_block_barrier) continue;
        waiting++;
        if (!first) first = &fiber;
        if (fiber.line != first->line) {
            report("barrier divergence: threads of one block wait at the __syncthreads() of line %d and of line %d",
                   first->line, fiber.line);
            return false;
        }
    }
    if (waiting == 0 || waiting + done < block.threads) return false;
    if (done && block.launch->strict) {
        report("%u of %u threads left the kernel before the __syncthreads() of line %d that the others wait at",
               done, block.threads, first->line);
        return false;
    }
    for (unsigned i = 0; i < block.threads; i++)
        if (block.fibers[i].state == State::at_block_barrier) block.fibers[i].state = State::ready;
    block.barriers++;
    return true;
}

static void select_thread(unsigned i) {
    threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
}

// Runs a block whose threads wait for nothing: one after another.
static void run_straight() {
    for (unsigned k = 0; k < block.threads; k++) {
        select_thread(in_order(k, block.threads, block.launch->order));
        block.body(block.launch->arguments);
    }
}

// Runs a block in turns, until all threads are done or something failed.
static void run_fibers() {
    for (unsigned i = 0; i < block.threads; i++) {
        block.fibers[i].state = State::ready;
        block.fibers[i].warp_barriers = 0;
    }
    for (;;) {
        bool ran = false, all_done = true;
        for (unsigned k = 0; k < block.threads && !block.failed; k++) {
            const unsigned i = in_order(k, block.threads, block.launch->order);
            Fiber& fiber = block.fibers[i];
            if (fiber.state == State::ready) {
                select_thread(i);
                resume(fiber);
                ran = true;
            }
            all_done = all_done && fiber.state == State::done;
        }
        if (all_done) return;
        const bool released = !block.failed && (release_warps() || release_block());
        if (!ran && !released)  // no-op where something failed before
            report("deadlock: some threads wait at a barrier that others of their block or warp do not reach");
        if (block.failed) {  // fibers that stopped in the middle start afresh
            for (unsigned i = 0; i < block.threads; i++) block.fibers[i].entered = false;
            return;
        }
    }
}

int run_grid(const Launch& launch, void (*body)(void**), bool fibers) {
    const auto &g = launch.grid, &b = launch.block;
    const unsigned long long blocks = 1ull * g[0] * g[1] * g[2], threads = 1ull * b[0] * b[1] * b[2];
    block.launch = &launch;
    block.body = body;
    block.failed = false;
    if (threads == 0 || threads > max_block || b[0] > 1024 || b[1] > 1024 || b[2] > 64)
        report("a block of (%u, %u, %u) threads; a device takes 1 to 1024, at most (1024, 1024, 64)", b[0], b[1], b[2]);
    if (blocks == 0 || g[0] > 2147483647u || g[1] > 65535 || g[2] > 65535)
        report("a grid of (%u, %u, %u) blocks; a device takes 1 to (2147483647, 65535, 65535)", g[0], g[1], g[2]);
    if (launch.shared_bytes > max_shared_bytes)
        report("%u bytes of shared memory; a device gives %u without asking", launch.shared_bytes,
               max_shared_bytes);
    if (block.failed) return 1;

    gridDim = {g[0], g[1], g[2]};
    blockDim = {b[0], b[1], b[2]};
    block.threads = threads;
    const size_t shared_bytes = __stop_hostcuda_shared - __start_hostcuda_shared;
    if (!start_checking(__start_hostcuda_shared, shared_bytes, dynamic_shared, launch.shared_bytes))
        report("no memory for the checks");
    for (unsigned long long k = 0; k < blocks && !block.failed; k++) {
        block.number = in_order(k, blocks, launch.order);
        block.barriers = 0;
        blockIdx = {unsigned(block.number % g[0]), unsigned(block.number / g[0] % g[1]),
                    unsigned(block.number / (1ull * g[0] * g[1]))};
        if (shared_bytes) memset(__start_hostcuda_shared, 0xff, shared_bytes);
        if (launch.shared_bytes) memset(dynamic_shared, 0xff, launch.shared_bytes);
        forget_shared_memory();
        fibers ? run_fibers() : run_straight();
    }
    stop_checking();
    return block.failed;
}

}  // namespace hostcuda
