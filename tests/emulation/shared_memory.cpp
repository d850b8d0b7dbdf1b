/* shared_memory.cpp - where a block's shared variables lie, and what a new block finds in them.
 *
 * __shared__ variables are thread_local: all those of the program lie together in the thread-local block that the
 * loader made for this program and this thread. Variables of the host that are thread-local lie there too: they
 * are put back after the launch.
 *
 * Dynamic shared memory ends where an inaccessible page begins. */
#include "emulation/shared_memory.h"

#include <cstring>
#include <link.h>
#include <new>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cuda_runtime.h"
#include "emulation/device.h"

namespace
{

struct thread_local_block {
    const void *code; /* the wanted module holds this address */
    unsigned char *begin = nullptr;
    std::size_t size = 0;
};

bool holds(const dl_phdr_info &module, const void *address)
{
    ElfW(Addr) wanted = reinterpret_cast<ElfW(Addr)>(address);
    for (int i = 0; i < module.dlpi_phnum; i++) {
        const ElfW(Phdr) &segment = module.dlpi_phdr[i];
        ElfW(Addr) begin = module.dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && wanted >= begin && wanted < begin + segment.p_memsz)
            return true;
    }
    return false;
}

int take_if_ours(dl_phdr_info *module, std::size_t, void *data)
{
    thread_local_block *found = static_cast<thread_local_block *>(data);
    if (!holds(*module, found->code))
        return 0;
    for (int i = 0; i < module->dlpi_phnum; i++)
        if (module->dlpi_phdr[i].p_type == PT_TLS)
            found->size = module->dlpi_phdr[i].p_memsz;
    found->begin = static_cast<unsigned char *>(module->dlpi_tls_data);
    if (found->begin == nullptr) /* the module has none */
        found->size = 0;
    return 1;
}

/* One mapping for all launches: room for the largest dynamic part, then a page that nobody may touch. */
class dynamic_region
{
  public:
    dynamic_region()
    {
        std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        room_ = (emulation_shared_bytes_optin + page - 1) / page * page;
        size_ = room_ + page;
        void *mapping = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED)
            throw std::bad_alloc();
        begin_ = static_cast<unsigned char *>(mapping);
        if (mprotect(begin_ + room_, page, PROT_NONE) != 0)
            throw std::bad_alloc();
    }

    ~dynamic_region()
    {
        ASAN_UNPOISON_MEMORY_REGION(begin_, room_);
        munmap(begin_, size_);
    }
    dynamic_region(const dynamic_region &) = delete;
    dynamic_region &operator=(const dynamic_region &) = delete;

    /* The last `bytes` before the guard page, rounded up to the alignment of the widest vector type. */
    unsigned char *take(std::size_t bytes)
    {
        taken_ = begin_ + room_ - (bytes + 15) / 16 * 16;
        ASAN_POISON_MEMORY_REGION(begin_, room_);
        ASAN_UNPOISON_MEMORY_REGION(taken_, bytes);
        return taken_;
    }

    unsigned char *taken() const
    {
        return taken_;
    }

  private:
    unsigned char *begin_;
    unsigned char *taken_ = nullptr;
    std::size_t room_;
    std::size_t size_;
};

dynamic_region &region()
{
    static dynamic_region only;
    return only;
}

} // namespace

emulation_shared_memory::emulation_shared_memory(std::size_t dynamic_bytes) : dynamic_bytes_(dynamic_bytes)
{
    thread_local_block block{reinterpret_cast<const void *>(take_if_ours)};
    dl_iterate_phdr(take_if_ours, &block);
    thread_locals_ = block.begin;
    thread_local_size_ = block.size;
    saved_ = std::make_unique<unsigned char[]>(block.size);
    if (block.size > 0)
        std::memcpy(saved_.get(), thread_locals_, block.size);
    region().take(dynamic_bytes);
}

emulation_shared_memory::~emulation_shared_memory()
{
    if (thread_local_size_ > 0)
        std::memcpy(thread_locals_, saved_.get(), thread_local_size_);
}

void emulation_shared_memory::begin_block()
{
    if (thread_local_size_ > 0)
        std::memset(thread_locals_, emulation_unwritten_byte, thread_local_size_);
    if (dynamic_bytes_ > 0)
        std::memset(region().taken(), emulation_unwritten_byte, dynamic_bytes_);
}

void *emulation_dynamic_shared()
{
    return region().taken();
}
