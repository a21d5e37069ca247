// The answers to the calls that g++ puts before each load and store of a checked kernel (checks.h).
#include "hostcuda/checks.h"

#include <stdlib.h>

#include "hostcuda/threads.h"

extern "C" char __ehdr_start[] __attribute__((visibility("hidden")));  // this object's first byte ...
extern "C" char _end[] __attribute__((visibility("hidden")));          // ... and its last

namespace hostcuda {

constexpr unsigned nobody = ~0u, several = ~0u - 1;

// Who last touched a byte, and when: the block, the block barriers and the warp barriers passed before.
struct Access {
    unsigned thread = nobody, warp = nobody;
    unsigned long long block = 0;
    unsigned barriers = 0, warp_barriers = 0;
};

constexpr int shared_memory = -1;  // in place of an argument's position

struct Watched {
    Region region;
    Access *reads, *writes;  // one a byte

    const char* at(size_t byte) const {
        static char text[60];
        if (region.argument == shared_memory) snprintf(text, sizeof text, "byte %zu of shared memory", byte);
        else snprintf(text, sizeof text, "byte %zu of argument %d", byte, region.argument);
        return text;
    }
};

static Watched watched[130];
static unsigned watched_count;

static bool watch(Region region) {
    if (watched_count == sizeof watched / sizeof *watched) return false;
    auto allocate = [&] {
        auto* bytes = static_cast<Access*>(malloc((region.bytes + 1) * sizeof(Access)));
        for (size_t i = 0; bytes && i < region.bytes; i++) bytes[i] = Access();
        return bytes;
    };
    watched[watched_count++] = {region, allocate(), allocate()};
    return watched[watched_count - 1].reads && watched[watched_count - 1].writes;
}

bool start_checking(char* shared, size_t shared_bytes, char* dynamic, size_t dynamic_bytes) {
    bool enough = true;
    for (unsigned i = 0; i < block.launch->region_count; i++) enough = enough && watch(block.launch->regions[i]);
    return enough && watch({shared, shared_bytes, shared_memory, 1}) &&
           watch({dynamic, dynamic_bytes, shared_memory, 1});
}

void stop_checking() {
    for (unsigned i = 0; i < watched_count; i++) {
        free(watched[i].reads);
        free(watched[i].writes);
    }
    watched_count = 0;
}

// Before each block: what the last one left in shared memory is gone.
void forget_shared_memory() {
    for (unsigned k = 0; k < watched_count; k++)
        if (watched[k].region.argument == shared_memory)
            for (size_t i = 0; i < watched[k].region.bytes; i++) watched[k].reads[i] = watched[k].writes[i] = Access();
}

// Whether a barrier lies between an earlier access and one by the current thread.
static bool ordered(const Access& earlier, unsigned me) {
    if (earlier.thread == nobody || earlier.thread == me) return true;
    if (earlier.barriers != block.barriers) return true;
    return earlier.warp == me / warp_size && earlier.warp_barriers < block.current->warp_barriers;
}

static void note(Access& last, unsigned me, bool keep_others) {
    const unsigned warp = me / warp_size;
    const bool same_time = last.thread != nobody && last.block == block.number && last.barriers == block.barriers;
    const bool others = keep_others && same_time && last.thread != me;
    last.warp = others && last.warp != warp ? several : warp;
    last.thread = others ? several : me;
    last.block = block.number;
    last.barriers = block.barriers;
    last.warp_barriers = block.current->warp_barriers;
}

// `code` is where in this object the access is; kernel.py turns it into a line.
template <class... Values>
void fail_at(const char* code, const char* format, Values... values) {
    const uint3 t = threadIdx, b = blockIdx;
    char message[300];
    snprintf(message, sizeof message, format, values...);
    fail("%s, by thread (%u, %u, %u) of block (%u, %u, %u) [+%#zx]", message, t.x, t.y, t.z, b.x, b.y, b.z,
         size_t(code - __ehdr_start));
}

static bool within(const char* address, size_t bytes, const char* begin, size_t size) {
    return address >= begin && address + bytes <= begin + size;
}

static void fail_outside(const char* address, size_t bytes, const char* verb, const char* code) {
    const Region* nearest = nullptr;
    long long distance = 0;
    for (unsigned i = 0; i < watched_count; i++) {
        const Region& region = watched[i].region;
        const long long past = address + bytes - (region.begin + region.bytes), before = region.begin - address;
        const long long away = past > before ? past : before;
        if (region.bytes == 0 || (nearest && away >= distance)) continue;
        nearest = &region;
        distance = away;
    }
    if (!nearest || distance > 1ll << 30)
        fail_at(code, "%s %zu bytes at an address that belongs to no argument", verb, bytes);
    if (nearest->argument == shared_memory)
        fail_at(code, "%s %zu bytes at byte %lld of %zu of shared memory", verb, bytes,
                (long long)(address - nearest->begin), nearest->bytes);
    fail_at(code, "%s %zu bytes at byte %lld of argument %d, which has %zu bytes", verb, bytes,
            (long long)(address - nearest->begin), nearest->argument, nearest->bytes);
}

static void check(const char* address, size_t bytes, bool writes, const char* code) {
    if (!block.current) return;
    const char* verb = writes ? "writes" : "reads";
    for (unsigned k = 0; k < watched_count; k++) {
        Watched& memory = watched[k];
        if (!within(address, bytes, memory.region.begin, memory.region.bytes)) continue;
        const size_t offset = address - memory.region.begin;
        const bool shared = memory.region.argument == shared_memory;
        if (writes && !memory.region.writable)
            fail_at(code, "writes to argument %d, which is read-only", memory.region.argument);
        const unsigned me = thread_number();
        for (size_t i = offset; i < offset + bytes; i++) {
            Access &read = memory.reads[i], &write = memory.writes[i];
            const bool here = write.block == block.number;
            if (shared && !writes && write.thread == nobody)
                fail_at(code, "reads %s, which no thread of this block has written", memory.at(i));
            // Another block's write is only seen to collide with a write: "the last block adds up" is legal.
            if (write.thread != nobody && !here && writes)
                fail_at(code, "race: writes %s, which another block wrote", memory.at(i));
            if (here && !ordered(write, me))
                fail_at(code, "race: %s %s, which thread %u wrote, with no barrier between", verb, memory.at(i),
                        write.thread);
            if (writes && read.block == block.number && !ordered(read, me))
                fail_at(code, "race: writes %s, which other threads read, with no barrier between", memory.at(i));
            note(writes ? write : read, me, !writes);
        }
        return;
    }
    const bool mine = within(address, bytes, block.current->stack, stack_bytes) ||
                      within(address, bytes, __ehdr_start, _end - __ehdr_start);
    if (!mine) fail_outside(address, bytes, verb, code);
}

// Atomics race with nothing, but must stay inside.
void check_atomic(const void* pointer, size_t bytes) {
    const char* address = static_cast<const char*>(pointer);
    for (unsigned k = 0; k < watched_count; k++)
        if (within(address, bytes, watched[k].region.begin, watched[k].region.bytes)) return;
    fail_outside(address, bytes, "updates", static_cast<const char*>(__builtin_return_address(0)));
}

}  // namespace hostcuda

#define HOSTCUDA_CHECK(name, bytes, writes)                                                    \
    extern "C" void name(void* address) {                                   \
        hostcuda::check(static_cast<char*>(address), bytes, writes,                            \
                        static_cast<char*>(__builtin_return_address(0)));                      \
    }
#define HOSTCUDA_CHECK_RANGE(name, writes)                                                     \
    extern "C" void name(void* address, size_t bytes) {                     \
        hostcuda::check(static_cast<char*>(address), bytes, writes,                            \
                        static_cast<char*>(__builtin_return_address(0)));                      \
    }
HOSTCUDA_CHECK(__tsan_read1, 1, false)
HOSTCUDA_CHECK(__tsan_read2, 2, false)
HOSTCUDA_CHECK(__tsan_read4, 4, false)
HOSTCUDA_CHECK(__tsan_read8, 8, false)
HOSTCUDA_CHECK(__tsan_read16, 16, false)
HOSTCUDA_CHECK(__tsan_write1, 1, true)
HOSTCUDA_CHECK(__tsan_write2, 2, true)
HOSTCUDA_CHECK(__tsan_write4, 4, true)
HOSTCUDA_CHECK(__tsan_write8, 8, true)
HOSTCUDA_CHECK(__tsan_write16, 16, true)
HOSTCUDA_CHECK_RANGE(__tsan_read_range, false)
HOSTCUDA_CHECK_RANGE(__tsan_write_range, true)
#undef HOSTCUDA_CHECK
#undef HOSTCUDA_CHECK_RANGE
extern "C" void __tsan_init() {}

// The first member of the handler's data is the place in the source.
struct HostcudaSourceLocation {
    const char* file;
    unsigned line, column;
};
extern "C" void __ubsan_handle_out_of_bounds(void* data, void* index) {
    const auto& place = *static_cast<const HostcudaSourceLocation*>(data);
    hostcuda::fail("index %lld is outside its array at line %u, by thread (%u, %u, %u) of block (%u, %u, %u)",
                   (long long)(intptr_t)index, place.line, threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x,
                   blockIdx.y, blockIdx.z);
}

