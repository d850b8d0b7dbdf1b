/* fibers.cpp - stacks, and the switch between them.
 *
 * A switch saves the registers that a called function must keep, exchanges the stack pointer, and restores. The
 * library's swapcontext would also save the signal mask, a system call each time: it serves only machines for
 * which there is no assembly below. AddressSanitizer is told of every switch. */
#include "emulation/fibers.h"

#include <cstdint>
#include <cstring>
#include <new>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define EMULATION_ASAN 1
#else
#define EMULATION_ASAN 0
#endif

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace
{

/* Kernels hold little on the stack, but a sanitizer's frames are several times as large. Pages that are never
 * touched cost nothing. */
constexpr std::size_t stack_bytes = 256 * 1024;

emulation_fiber *running = nullptr;
void *resumer_context = nullptr;
void *resumer_fake_stack = nullptr;
const void *resumer_stack = nullptr;
std::size_t resumer_stack_size = 0;

/* The stack of `stack` is entered next; *fake_stack keeps this one's record of locals, or is given up if NULL. */
void announce_switch([[maybe_unused]] void **fake_stack, [[maybe_unused]] const void *stack,
                     [[maybe_unused]] std::size_t size)
{
#if EMULATION_ASAN
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
#endif
}

void complete_switch([[maybe_unused]] void *fake_stack, [[maybe_unused]] const void **left_stack,
                     [[maybe_unused]] std::size_t *left_size)
{
#if EMULATION_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, left_stack, left_size);
#endif
}

void first_function_of_a_stack()
{
    running->enter();
}

} // namespace

#if defined(__x86_64__) || defined(__aarch64__)

extern "C" void emulation_switch_stack(void **save, void *load);

#if defined(__x86_64__)
/* %rbp %rbx %r12-%r15 are the callee's to keep; the return address lies above them. */
__asm__(R"(
    .text
    .p2align 4
    .globl emulation_switch_stack
    .hidden emulation_switch_stack
    .type emulation_switch_stack, @function
emulation_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulation_switch_stack, .-emulation_switch_stack
)");

void emulation_fiber::prepare_context()
{
    /* Seen from the first function, its return address must lie at 8 modulo 16; it is zero and ends traces. */
    std::uintptr_t top = (reinterpret_cast<std::uintptr_t>(stack_ + stack_size_) & ~std::uintptr_t{15}) - 16;
    void **frame = reinterpret_cast<void **>(top) + 1;
    *frame = nullptr;
    *--frame = reinterpret_cast<void *>(first_function_of_a_stack);
    for (int saved_register = 0; saved_register < 6; saved_register++)
        *--frame = nullptr;
    context_ = frame;
}
#else
/* x19-x30 and d8-d15 are the callee's to keep; x30 is the return address. */
__asm__(R"(
    .text
    .p2align 4
    .globl emulation_switch_stack
    .hidden emulation_switch_stack
    .type emulation_switch_stack, %function
emulation_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size emulation_switch_stack, .-emulation_switch_stack
)");

void emulation_fiber::prepare_context()
{
    constexpr int words = 20, return_address = 11;
    std::uintptr_t top = reinterpret_cast<std::uintptr_t>(stack_ + stack_size_) & ~std::uintptr_t{15};
    void **frame = reinterpret_cast<void **>(top) - words;
    std::memset(frame, 0, words * sizeof *frame);
    frame[return_address] = reinterpret_cast<void *>(first_function_of_a_stack);
    context_ = frame;
}
#endif

static void switch_context(void **save, void *load)
{
    emulation_switch_stack(save, load);
}

#else

void emulation_fiber::prepare_context()
{
    /* The context lies at the low end of the stack, far from where the stack grows. */
    ucontext_t *context = new (stack_) ucontext_t;
    getcontext(context);
    context->uc_stack.ss_sp = stack_ + sizeof(ucontext_t);
    context->uc_stack.ss_size = stack_size_ - sizeof(ucontext_t);
    context->uc_link = nullptr;
    makecontext(context, first_function_of_a_stack, 0);
    context_ = context;
}

static void switch_context(void **save, void *load)
{
    ucontext_t here;
    *save = &here;
    swapcontext(&here, static_cast<ucontext_t *>(load));
}

#endif

emulation_fiber::emulation_fiber()
{
    std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    mapping_size_ = page + stack_bytes;
    void *mapping = mmap(nullptr, mapping_size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        throw std::bad_alloc();
    mapping_ = static_cast<unsigned char *>(mapping);
    stack_ = mapping_ + page;
    stack_size_ = stack_bytes;
    if (mprotect(stack_, stack_size_, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping_, mapping_size_);
        throw std::bad_alloc();
    }
    context_ = nullptr;
}

emulation_fiber::~emulation_fiber()
{
    ASAN_UNPOISON_MEMORY_REGION(stack_, stack_size_);
    munmap(mapping_, mapping_size_);
}

void emulation_fiber::start(void (*body)(void *), void *argument)
{
    if (!finished_) /* left suspended: the marks of its locals are still there */
        ASAN_UNPOISON_MEMORY_REGION(stack_, stack_size_);
    body_ = body;
    argument_ = argument;
    finished_ = false;
    fake_stack_ = nullptr;
    prepare_context();
}

void emulation_fiber::enter()
{
    complete_switch(nullptr, &resumer_stack, &resumer_stack_size);
    body_(argument_);
    finished_ = true;
    leave(true);
}

void emulation_fiber::resume()
{
    running = this;
    announce_switch(&resumer_fake_stack, stack_, stack_size_);
    switch_context(&resumer_context, context_);
    complete_switch(resumer_fake_stack, nullptr, nullptr);
    running = nullptr;
}

void emulation_fiber::leave(bool for_ever)
{
    announce_switch(for_ever ? nullptr : &fake_stack_, resumer_stack, resumer_stack_size);
    switch_context(&context_, resumer_context);
    complete_switch(fake_stack_, &resumer_stack, &resumer_stack_size);
}

void emulation_fiber::suspend()
{
    running->leave(false);
}

bool emulation_fiber::finished() const
{
    return finished_;
}
