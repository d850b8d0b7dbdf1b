/* output.c - what the commands that write files share: signals, the description of a run, names of files. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "files/hdf5/root.h"
#include "disk/output_file.h"
#include "base/utc_time.h"

/* ------------------------------------------------------------------------------------- interruption */

/* Set by the first of the signals below. Static because a signal handler has no other way to its surroundings. */
static volatile sig_atomic_t stop_requested;

/* The first signal asks the command to stop after the evaluation in flight; a second Ctrl-C ends the program at
 * once. Only that one: schedulers and launchers send the others twice, to the process and through its parent. */
static void handle_signal(int number)
{
    if (stop_requested != 0 && number == SIGINT) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop_requested = 1;
}

/* A signal that the caller of the program chose to ignore (nohup, background jobs) stays ignored. */
static void catch_signal(int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle_signal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL); /* cannot fail: number and action are valid */
}

void cli_catch_interrupts(void)
{
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    catch_signal(SIGHUP);  /* the terminal was closed, or the connection to it lost */
    catch_signal(SIGUSR1); /* what schedulers send as a warning, and what mpirun passes on */
}

const volatile int *cli_stop_requested(void)
{
    return &stop_requested;
}

/* ---------------------------------------------------------------------------------------- run info */

char *cli_default_output(const char *input, const char *ending)
{
    const char *slash = strrchr(input, '/');
    const char *name = slash == NULL ? input : slash + 1;
    const char *dot = strrchr(name, '.');
    int length = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    char *output = NULL;
    return asprintf(&output, "%.*s%s", length, name, ending) < 0 ? NULL : output;
}

mm_status cli_describe_run(struct cli_description *description, const char *command_line, struct mm_error *error)
{
    *description = (struct cli_description){.command_line = command_line};
    mm_format_utc(time(NULL), description->start_time);
    if (command_line == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    if (gethostname(description->host, sizeof description->host - 1) != 0)
        return mm_fail(error, MM_ERROR_SYSTEM, "the name of this machine is not known: %s", strerror(errno));
    return MM_OK;
}

struct mm_run_info cli_run_info(struct cli_description *description)
{
    mm_format_utc(time(NULL), description->end_time);
    return (struct mm_run_info){
        .command_line = description->command_line,
        .start_time = description->start_time,
        .end_time = description->end_time,
        .host = description->host,
    };
}

/* ------------------------------------------------------------------------------------------- files */

bool cli_is_same_file(const char *one, const char *other)
{
    struct stat first;
    struct stat second;
    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

void cli_warn_if_incomplete(struct mm_hdf5_file *file, const char *path)
{
    if (!mm_hdf5_is_complete(file))
        cli_report("warning: %s is not complete: its run was stopped, or still goes on", path);
}

mm_status cli_check_output(const char *path, const char *input, bool resume, bool force, bool quiet,
                           bool *continues, struct mm_error *error)
{
    bool exists = access(path, F_OK) == 0;
    if (continues != NULL)
        *continues = resume && exists;
    if (cli_is_same_file(path, input))
        return mm_fail(error, MM_ERROR_OUTPUT, "%s: is both input and output; choose another output with -o", path);
    mm_status status = mm_output_file_check(path, true, error);
    if (status == MM_OK && exists && !force && !resume)
        return mm_fail(error, MM_ERROR_OUTPUT, "%s: exists already; %s--force replaces it", path,
                       continues != NULL ? "--resume continues it, " : "");
    if (status == MM_OK && resume && !exists && !quiet)
        cli_report("%s does not exist yet: nothing to resume, starting from the beginning", path);
    return status;
}
