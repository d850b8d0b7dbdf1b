/* chain_batch.cuh - what a batch of chains is on the device: problem, chains, the arrays they own, and its class.
 *
 * A matrix of a chain (the state R or the adjoint A, both symmetric) lies as its lower diagonals: element
 * (column + d, column) at d * columns + column, for d < bands. `columns` is a multiple of MM_TILE_COLUMNS, so that
 * a warp reads whole rows of it. What is outside a chain's window is zero.
 *
 * The shape (bands, columns) is the class of the batch. It decides which kernels run: up to 56 diagonals and 512
 * columns a block carries the matrix from collision to collision in registers and shared memory
 * (kernels/band_tile.cuh); beyond that it lies in global memory (kernels/band_wide.cuh).
 */
#ifndef MM_CUDA_KERNELS_CHAIN_BATCH_CUH
#define MM_CUDA_KERNELS_CHAIN_BATCH_CUH

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "model/collision.h"
extern "C" {
#include "model/protocol.h"
}
#include "model/tail.h"
#include "solver/window_rule.h"
#include "kernels/sweep_ways.cuh"

enum {
    MM_TILE_COLUMNS = 64,         /* columns of a warp: two neighbouring ones a lane */
    MM_TILE_COLUMNS_MAX = 512,    /* 256 threads of 255 registers fill a multiprocessor */
    MM_TILE_FLAT_BANDS = 32,      /* most diagonals of a class in registers alone: they take 128 of a lane's 255 */
    MM_TILE_REGISTER_BANDS = 30,  /* diagonals that the other tile classes have in registers */
    MM_TILE_DEEP_DOUBLES = 3456,  /* room for their others in shared memory: with all else 48 kB of it */
    MM_TILE_BANDS_MAX = 56,       /* of the tile classes */
    MM_DERIVATIVE_INTERVAL = 128, /* collisions after which the lanes' derivatives are added up at the latest */
    MM_BLOCK_THREADS = 256,       /* of every kernel but those of the tile classes */
    MM_BLOCK_WARPS = MM_BLOCK_THREADS / 32,
};

/** Diagonals of the tile classes. X(diagonals). */
#define MM_TILE_CLASSES(X) X(8) X(16) X(24) X(32) X(40) X(48) X(56)

/** What all chains of a batch share. */
struct mm_device_problem {
    int levels;                  /* N, or the most there may be while the space grows with the state */
    struct mm_protocol protocol; /* its ends in device memory */
    struct mm_tail tail;         /* up to the end of the schedule; the last batch of qubits continues after it */
    bool derivative;             /* windows keep the margin that derivatives need (host/cpu/run.c) */
};

/** One chain in flight. */
struct mm_device_chain {
    double g;
    double band_tolerance;
    enum mm_sweep_way way;   /* of the adjoint sweep */
    int64_t collision;       /* number of the present state */
    struct mm_window window; /* of the present state; after an overflow the one that did not fit */
    int most_bands;          /* of all windows since the vacuum */
    double energy;           /* E = Tr(H R) of the present state */
    double purity;           /* Tr(R^2), after mm_cuda_purity */
    double instability;      /* sum over the tail of |E_k - E_{k-1}| up to the present state */
    double band_error;
    double truncation_population;
    int overflow; /* not zero: the window outgrew the class, and the chain stopped before collision `collision` */
};

/** Sums over some of the collisions of a stretch, those of a sweep by few of them. */
struct mm_few_sums {
    double by_q; /* derivatives by the qubits of the present stretch */
    double by_x;
    double correction_by_q; /* by which these differ from looser sums */
    double correction_by_x;
    double magnitude; /* sum of |terms|, of all stretches up to now */
    int failed;       /* not zero: the sums of some stretch were not to be trusted */
};

/** Device memory of a batch of chains. A chain is one row of every array; arrays that a call does not need may be
 *  NULL. Matrices are aligned to 16 bytes. */
struct mm_chain_batch {
    struct mm_device_problem problem;
    struct mm_device_chain *chains; /* [chain] */
    const struct mm_qubit *qubits;  /* [chain][batch_count] */
    double *state;                  /* [chain][bands][columns]: R of the present state */
    double *adjoint;                /* [chain][bands][columns]: A */
    int8_t *tail_signs;             /* [chain][tail.end - tail.start]: sign of E_k - E_{k-1} */
    double *derivatives;            /* [chain][batch_count][2]: by q at constant x, by x at constant q */
    struct mm_few_sums *few;        /* [chain] */
    double *by_instability;         /* [chain]: derivative of the loss, from mm_cuda_build_adjoint on */
    const struct mm_way *ways;      /* [MM_SWEEP_WAYS], the same for all chains */
    double *segment;                /* [chain][segment_states][bands][columns]: kept states, window only */
    struct mm_window *windows;      /* [chain][segment_length + 1]: of the states of a segment and the next one */
    int64_t segment_states;         /* most states kept in a segment */
    int64_t segment_length;         /* most collisions of a segment */
    double *energies; /* [chain][energies_length]: E of the states first+1 .. end of a propagation, or NULL */
    int64_t energies_length; /* at least end - first */
    double *scratch;         /* [chain][mm_batch_scratch()] */
    int columns;             /* of a matrix, mm_class_columns() */
    int bands;               /* diagonals of a matrix, mm_class_bands() */
};

/** Columns of the class for so many levels. */
static inline int mm_class_columns(int levels)
{
    return (levels + MM_TILE_COLUMNS - 1) / MM_TILE_COLUMNS * MM_TILE_COLUMNS;
}

/** Diagonals of the smallest class for so many live diagonals: those of the tile classes, then 128, 256, .., at
 * most `columns`. */
static inline int mm_class_bands(int bands, int columns)
{
#define MM_CLASS_IF_ENOUGH(BANDS)                                                                                  \
    if (bands <= BANDS)                                                                                            \
        return BANDS;
    MM_TILE_CLASSES(MM_CLASS_IF_ENOUGH)
#undef MM_CLASS_IF_ENOUGH
    int diagonals = 2 * MM_TILE_COLUMNS;
    while (diagonals < bands)
        diagonals *= 2;
    return diagonals < columns ? diagonals : columns;
}

/** Diagonals of a tile class that are in registers. */
__host__ __device__ constexpr int mm_tile_register_bands(int bands)
{
    return bands <= MM_TILE_FLAT_BANDS ? bands : MM_TILE_REGISTER_BANDS;
}

/** Whether a class is one of the tile classes, carried on chip. Any other shape with bands <= columns is carried in
 *  global memory. */
__host__ __device__ static inline bool mm_batch_is_tiled(const struct mm_chain_batch &batch)
{
#define MM_CLASS_IS(BANDS) || batch.bands == BANDS
    const bool listed = false MM_TILE_CLASSES(MM_CLASS_IS);
#undef MM_CLASS_IS
    return listed && batch.columns <= MM_TILE_COLUMNS_MAX &&
           (batch.bands - mm_tile_register_bands(batch.bands)) * batch.columns <= MM_TILE_DEEP_DOUBLES;
}

/** Doubles in one matrix of a batch. */
__host__ __device__ static inline size_t mm_batch_matrix(const struct mm_chain_batch &batch)
{
    return (size_t)batch.bands * (size_t)batch.columns;
}

/** Numbers n for which the classes of global memory keep C_n and S_n: rows run to N, and need C_{N+1}. */
__host__ __device__ static inline size_t mm_batch_table(const struct mm_chain_batch &batch)
{
    return (size_t)batch.columns + 2;
}

/** Doubles of scratch memory a chain: none in a tile, else a second matrix and the tables, in whole pairs. */
__host__ __device__ static inline size_t mm_batch_scratch(const struct mm_chain_batch &batch)
{
    return mm_batch_is_tiled(batch) ? 0 : mm_batch_matrix(batch) + 2 * mm_batch_table(batch);
}

/** One chain's rows of the arrays of a batch. */
struct mm_chain_view {
    struct mm_device_chain *chain;
    const struct mm_qubit *qubits;
    double *state;
    double *adjoint;
    int8_t *tail_signs;
    double *derivatives;
    struct mm_few_sums *few;
    double *by_instability;
    double *segment;
    struct mm_window *windows;
    double *energies; /* NULL if they are not wanted */
    double *scratch;
};

/** Row `chain` of an array with rows of that length; NULL of one that a call does not need. */
template <typename Element> __device__ static inline Element *mm_batch_row(Element *array, int chain, size_t length)
{
    return array == nullptr ? nullptr : array + (size_t)chain * length;
}

__device__ static inline struct mm_chain_view mm_view_chain(const struct mm_chain_batch &batch, int chain)
{
    const struct mm_device_problem &problem = batch.problem;
    const size_t matrix = mm_batch_matrix(batch);
    struct mm_chain_view view;
    view.chain = batch.chains + chain;
    view.qubits = mm_batch_row(batch.qubits, chain, (size_t)problem.protocol.batch_count);
    view.state = mm_batch_row(batch.state, chain, matrix);
    view.adjoint = mm_batch_row(batch.adjoint, chain, matrix);
    view.tail_signs = mm_batch_row(batch.tail_signs, chain, (size_t)(problem.tail.end - problem.tail.start));
    view.derivatives = mm_batch_row(batch.derivatives, chain, 2 * (size_t)problem.protocol.batch_count);
    view.few = mm_batch_row(batch.few, chain, 1);
    view.by_instability = mm_batch_row(batch.by_instability, chain, 1);
    view.segment = mm_batch_row(batch.segment, chain, (size_t)batch.segment_states * matrix);
    view.windows = mm_batch_row(batch.windows, chain, (size_t)batch.segment_length + 1);
    view.energies = mm_batch_row(batch.energies, chain, (size_t)batch.energies_length);
    view.scratch = mm_batch_row(batch.scratch, chain, mm_batch_scratch(batch));
    return view;
}

#endif
