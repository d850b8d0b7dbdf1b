/* survives.h - whether a process survives what ought to kill it. */
#ifndef SURVIVES_H
#define SURVIVES_H

#include <csignal>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/** Whether the process survives the body, in a child that starts as a copy of this one. To be included after
 *  cmocka.h. */
inline bool survives(const std::function<void()> &body)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int number : {SIGSEGV, SIGBUS, SIGABRT}) /* cmocka would run on after them */
            std::signal(number, SIG_DFL);
        rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO); /* a sanitizer's report is expected */
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
