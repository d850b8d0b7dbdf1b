/* parse.h - the keys of a configuration, and what a file and its overrides say about them. */
#ifndef MM_CONFIG_PARSE_H
#define MM_CONFIG_PARSE_H

#include <stddef.h>

#include "micromaser.h"
#include "base/numbers.h"
#include "model/problem.h"

enum {
    MM_CONFIG_SIZE_MAX = 1 << 20, /* most bytes of a configuration */
    MM_FILE_LABEL_SIZE = 160,     /* most bytes of a file's name in a message */
};

/** How the value of a key is read and written. */
enum mm_key_kind {
    MM_KIND_LEVELS,       /* auto, or an integer */
    MM_KIND_INTEGER,      /* an integer */
    MM_KIND_SEED,         /* an integer of 64 bits; its bounds are those of the type */
    MM_KIND_REAL,         /* a number */
    MM_KIND_REAL_LIST,    /* numbers, list or ranges */
    MM_KIND_INTEGER_LIST, /* integers, list or ranges */
};

#define MM_LIST_FORMS ", as a list 1,10,100 or a range start:stop:count or log:start:stop:count"

/* X(identifier, section, key, kind, minimum, maximum, default, allowed values).
 * Bounds are inclusive, so an open bound is the next double; a default of NULL means none. Section "batch" stands
 * for batch.1, batch.2, .. */
#define MM_KEY_LIST(X)                                                                                             \
    X(LEVELS, "cavity", "levels", LEVELS, MM_LEVELS_MIN, MM_LEVELS_MAX, "auto", "auto or an integer 2 .. 4096")    \
    X(G, "coupling", "g", REAL_LIST, 0x1p-1074, 100, NULL, "numbers > 0 and <= 100" MM_LIST_FORMS)                 \
    X(Q, "coupling", "Q", INTEGER_LIST, 1, 1e6, NULL, "integers 1 .. 1000000" MM_LIST_FORMS)                       \
    X(M, "coupling", "m", INTEGER_LIST, 1, 1e6, NULL, "integers 1 .. 1000000" MM_LIST_FORMS)                       \
    X(EPSILON, "coupling", "epsilon", REAL_LIST, -0x1.fffffffffffffp-2, 0.5, "0",                                  \
      "numbers > -0.5 and <= 0.5" MM_LIST_FORMS)                                                                   \
    X(BATCH_QUBITS, "batch", "qubits", INTEGER, 1, MM_COLLISIONS_MAX, NULL, "an integer 1 .. 1000000000")          \
    X(BATCH_C, "batch", "c", REAL, 0, 1, NULL, "a number 0 .. 1; c and q together hold the batch fixed")           \
    X(BATCH_Q, "batch", "q", REAL, 0, 1, NULL, "a number 0 .. 1; c and q together hold the batch fixed")           \
    X(LAMBDA, "loss", "lambda", REAL_LIST, 0, 1e100, NULL, "numbers 0 .. 1e100" MM_LIST_FORMS)                     \
    X(TAIL, "loss", "tail", INTEGER, 1, MM_COLLISIONS_MAX, NULL, "an integer 1 .. all collisions")                 \
    X(TAIL_FRACTION, "loss", "tail_fraction", REAL, 0x1p-1074, 1, "0.2", "a number > 0 and <= 1")                  \
    X(STARTS, "search", "starts", INTEGER, 1, 1e7, "64", "an integer 1 .. 10000000")                               \
    X(NEIGHBOUR_STARTS, "search", "neighbour_starts", INTEGER, 0, 1e7, "0", "an integer 0 .. starts - 1")          \
    X(EXCITED_STARTS, "search", "excited_starts", INTEGER, 0, 1e7, "0", "an integer 0 .. starts")                  \
    X(AGREE, "search", "agree", INTEGER, 0, 1e7, "0", "an integer 0 .. starts")                                    \
    X(RACE, "search", "race", INTEGER, 0, 1e9, "0", "an integer 0 .. 1000000000")                                  \
    X(FINALISTS, "search", "finalists", INTEGER, 0, 1e7, "0", "an integer 0 .. starts - 1")                        \
    X(SEED, "search", "seed", SEED, 0, 0, "1", "an integer 0 .. 18446744073709551615")                             \
    X(ITERATIONS, "search", "iterations", INTEGER, 1, 1e9, "15000", "an integer 1 .. 1000000000")                  \
    X(EVALUATIONS, "search", "evaluations", INTEGER, 1, 1e9, "15000", "an integer 1 .. 1000000000")                \
    X(FTOL, "search", "ftol", REAL, 0, 0x1.fffffffffffffp1023, "2.2e-9", "a finite number >= 0")                   \
    X(GTOL, "search", "gtol", REAL, 0, 0x1.fffffffffffffp1023, "1e-5", "a finite number >= 0")                     \
    X(CORRECTIONS, "search", "corrections", INTEGER, 1, 100, "10", "an integer 1 .. 100")                          \
    X(BAND_TOLERANCE, "numerics", "band_tolerance", REAL, 0, 1e-3, "1e-16", "a number 0 .. 1e-3")                  \
    X(ROUGH_TOLERANCE, "numerics", "rough_tolerance", REAL, 0, 1e-3, "1e-7", "a number 0 .. 1e-3")

#define MM_KEY_ENUM(identifier, ...) MM_KEY_##identifier,
enum mm_key_id { MM_KEY_LIST(MM_KEY_ENUM) MM_KEY_COUNT };
#undef MM_KEY_ENUM

/** One row of the table above. */
struct mm_key {
    const char *section;
    const char *name;
    enum mm_key_kind kind;
    double minimum;
    double maximum;
    const char *default_text; /* NULL: none */
    const char *allowed;
};

extern const struct mm_key mm_keys[MM_KEY_COUNT];

/** True for the keys of section "batch". */
bool mm_key_is_per_batch(enum mm_key_id key);

/** What was given for one key. */
struct mm_setting {
    enum mm_key_id key;
    int batch;  /* K of batch.K, 0 for every other section */
    char *text; /* the value, without blanks around it */
    int line;   /* where in the file, 0 for an override */
};

/** Everything that was given. Free with mm_settings_free. */
struct mm_settings {
    char file[MM_FILE_LABEL_SIZE]; /* name of the file as it appears in messages */
    int batch_count;               /* highest K of any batch.K */
    size_t count;
    struct mm_setting *items; /* [count] */
};

/** Reads the settings of a text and replaces or adds those of the overrides. An override of coupling.g replaces
 *  Q, m and epsilon, and the other way round; loss.tail and loss.tail_fraction likewise. Values are not read yet.
 *  Arguments as mm_config_parse. On failure *settings holds nothing.
 *  Errors: MM_ERROR_INPUT (text, syntax, unknown or repeated or conflicting keys), MM_ERROR_MEMORY. */
mm_status mm_settings_read(const char *name, const char *text, size_t size, size_t override_count,
                           const char *const *overrides, struct mm_settings *settings, struct mm_error *error);

/** The setting of a key, or NULL if it was not given. */
const struct mm_setting *mm_settings_find(const struct mm_settings *settings, enum mm_key_id key, int batch);

/** Reports a wrong or missing value: where it was set, the key, the value, `reason` (may be NULL) and what is
 *  allowed. Returns MM_ERROR_INPUT. */
mm_status mm_settings_fail(const struct mm_settings *settings, enum mm_key_id key, int batch, const char *reason,
                           struct mm_error *error);

/** Frees what settings own and clears them. */
void mm_settings_free(struct mm_settings *settings);

#endif
