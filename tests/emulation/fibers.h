/* fibers.h - threads that run on one another's time: each has its own guarded stack and runs until it suspends. */
#ifndef EMULATION_FIBERS_H
#define EMULATION_FIBERS_H

#include <cstddef>

/** One fiber. All fibers belong to the operating system's thread that resumes them; one runs at a time.
 *  The floating-point environment is shared, not saved. */
class emulation_fiber
{
  public:
    /** Maps a stack with an inaccessible page below it; throws std::bad_alloc. */
    emulation_fiber();
    ~emulation_fiber();
    emulation_fiber(const emulation_fiber &) = delete;
    emulation_fiber &operator=(const emulation_fiber &) = delete;

    /** Prepares body(argument) to run on this stack from its beginning. A fiber that was left suspended is
     *  forgotten: nothing on its stack is unwound. */
    void start(void (*body)(void *), void *argument);

    /** Runs the fiber until it suspends or its body returns. Not to be called from a fiber. */
    void resume();

    /** Gives control back to the caller of resume; called on the fiber that runs. */
    static void suspend();

    /** True once the body has returned, until the next start. */
    bool finished() const;

    /** Where body runs; public only because the entry of a new stack is a plain function. */
    void enter();

  private:
    unsigned char *mapping_; /* guard page, then the stack */
    std::size_t mapping_size_;
    unsigned char *stack_; /* lowest address of the stack */
    std::size_t stack_size_;
    void *context_; /* stack pointer with the saved registers on top of it; or a ucontext_t */
    void *fake_stack_ = nullptr;
    void (*body_)(void *) = nullptr;
    void *argument_ = nullptr;
    bool finished_ = true;

    void prepare_context();
    void leave(bool for_ever);
};

#endif
