/* shared_memory.h - the shared memory of the block that runs: static (thread_local) and dynamic. */
#ifndef EMULATION_SHARED_MEMORY_H
#define EMULATION_SHARED_MEMORY_H

#include <cstddef>
#include <memory>

/** What memory holds that nobody has written: all bits set, a NaN as float or double and -1 as an integer. */
constexpr unsigned char emulation_unwritten_byte = 0xff;

/** The shared memory of one launch; one at a time. */
class emulation_shared_memory
{
  public:
    /** @param dynamic_bytes  size of the dynamic part, 0 .. 227 kB; an access beyond it faults */
    explicit emulation_shared_memory(std::size_t dynamic_bytes);

    /** Gives the thread-local variables back what they held before the launch. */
    ~emulation_shared_memory();
    emulation_shared_memory(const emulation_shared_memory &) = delete;
    emulation_shared_memory &operator=(const emulation_shared_memory &) = delete;

    /** As a new block finds it: never written. */
    void begin_block();

  private:
    std::size_t dynamic_bytes_;
    unsigned char *thread_locals_;
    std::size_t thread_local_size_;
    std::unique_ptr<unsigned char[]> saved_;
};

#endif
