/* journal_list.h - what the journals of a result file are called. */
#ifndef MM_STORE_JOURNAL_LIST_H
#define MM_STORE_JOURNAL_LIST_H

#include "store/journal.h"

/** Between the name of the result file and the rest in the name of a journal. */
#define MM_JOURNAL_MIDDLE ".journal."

/** FOLDER/.NAME of FOLDER/NAME: takes the place of the output in the name of a journal that is being created.
 *  To be freed by the caller; NULL if there is no memory. */
char *mm_journal_hidden(const char *output);

#endif
