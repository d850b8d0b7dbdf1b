/* cli_results.h - the results of a search on standard output. */
#ifndef MM_CLI_RESULTS_H
#define MM_CLI_RESULTS_H

#include "micromaser.h"

/** Prints one line a grid point: the best c, q of each batch, the loss and its parts, and how many of the finished
 *  starts agree with the best. */
void cli_print_table(const struct mm_config *config, const struct mm_results *results);

/** Prints the same and more as one JSON object; `path` is the result file. */
void cli_print_results_json(const struct mm_config *config, const struct mm_results *results, const char *path);

/** Reports every best chain whose result depends on the number of Fock levels. */
void cli_warn_of_truncation(const struct mm_config *config, const struct mm_results *results);

#endif
