/* results.h - the results of a search on standard output. */
#ifndef MM_CLI_RESULTS_H
#define MM_CLI_RESULTS_H

#include "chain/source.h"

/** Prints one line a grid point: the best c, q of each batch, the loss and its parts, and how many of the finished
 *  starts agree with the best. */
mm_status cli_print_table(struct mm_chain_source *source, struct mm_error *error);

/** Prints the same and more as one JSON object; `path` is the result file. */
mm_status cli_print_results_json(struct mm_chain_source *source, const char *path, struct mm_error *error);

/** Reports the best chains whose result depends on the number of Fock levels. */
mm_status cli_warn_of_truncation(struct mm_chain_source *source, struct mm_error *error);

#endif
