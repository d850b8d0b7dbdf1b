/* record.h - a finished chain as a record of fixed size with a checksum: the unit of journals and results. */
#ifndef MM_CHAIN_RECORD_H
#define MM_CHAIN_RECORD_H

#include "micromaser.h"

enum { MM_RESULTS_VERSION = 6 };

/** Number that names the run which a record belongs to: a hash of the canonical configuration (seed included), and
 * of MM_RESULTS_VERSION, which changes whenever the program computes other numbers from the same configuration. */
uint64_t mm_run_fingerprint(const struct mm_config *config);

/** MM_ERROR_INPUT, "PATH: belongs to another configuration: ..", unless two canonical texts are the same. */
mm_status mm_run_check_configuration(const char *path, const char *there, const char *here, struct mm_error *error);

/** Bytes of a record:
 *      int64 number of the chain | the columns of chain/columns.c, in their order | uint32 CRC
 *  little-endian, without gaps. The CRC (CRC-32 of zlib) covers the fingerprint of the run and all before it, so
 *  that a record of another run never passes for one of this. */
size_t mm_chain_record_size(size_t batch_count);

/** Packs chain number `index` into record[mm_chain_record_size]. */
void mm_chain_record_pack(uint64_t fingerprint, size_t batch_count, int64_t index, const struct mm_chain *chain,
                          unsigned char *record);

/** Number of the chain in a record; -1 unless the CRC fits and number, place and status are those of a finished
 *  chain of this configuration. */
int64_t mm_chain_record_check(uint64_t fingerprint, const struct mm_config *config, const unsigned char *record);

/** Where the chain of a record stands: its positions on the axes and its start, and nothing else of it. */
void mm_chain_record_place(size_t batch_count, const unsigned char *record, struct mm_chain *chain);

/** Unpacks a checked record.
 *  @param parameters  [2][batch_count][2], out: storage behind chain->initial and chain->final
 *  @param chain       out, finished */
void mm_chain_record_unpack(size_t batch_count, const unsigned char *record, double *parameters,
                            struct mm_chain *chain);

#endif
