/* block.h - the threads of one block: their order, their meetings at barriers, and what the lanes of a warp say. */
#ifndef EMULATION_BLOCK_H
#define EMULATION_BLOCK_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vector_types.h"

/** Order of blocks and threads for the launches to come: see emulation_set_schedule. */
void emulation_block_set_schedule(std::uint64_t seed);

/** Numbers 0 .. count-1 in the order of the schedule. Start of every launch's order of blocks. */
std::vector<std::uint64_t> emulation_block_order(std::uint64_t count);

/** Runs every thread of the block `index` of the grid to its end.
 *  @return empty, or what went wrong in one line: a barrier that not all threads reach, a lane outside its mask.
 *          The threads that did not end are abandoned where they stand. */
std::string emulation_block_run(dim3 grid, dim3 block, uint3 index, const std::function<void()> &kernel);

#endif
