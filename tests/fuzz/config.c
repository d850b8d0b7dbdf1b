/* config.c - libFuzzer target of the configuration parser.
 *
 * Input: the text of a file; after a byte 0xFF, overrides, one a line. Whatever it is, the parser either gives a
 * configuration that passes the problem's checks and whose canonical text gives itself again, or it fails with one
 * line that is not empty.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "micromaser.h"

enum { OVERRIDES_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what, const char *text)
{
    if (holds)
        return;
    fprintf(stderr, "%s:\n%s\n", what, text);
    abort();
}

static bool same_values(const struct mm_config *a, const struct mm_config *b)
{
    return a->g_count == b->g_count && memcmp(a->g, b->g, a->g_count * sizeof *a->g) == 0 &&
           a->lambda_count == b->lambda_count &&
           memcmp(a->lambda, b->lambda, a->lambda_count * sizeof *a->lambda) == 0 &&
           a->batch_count == b->batch_count && mm_config_chains(a) == mm_config_chains(b) && a->tail == b->tail &&
           a->seed == b->seed;
}

static void check_good(const struct mm_config *config)
{
    struct mm_error error = {0};
    struct mm_problem problem = mm_config_problem(config);
    require(mm_problem_check(&problem, &error) == MM_OK, error.message, config->text);
    require(mm_config_chains(config) >= 1, "no chains", config->text);
    struct mm_config again;
    require(mm_config_parse("canonical", config->text, strlen(config->text), 0, NULL, &again, &error) == MM_OK,
            error.message, config->text);
    require(strcmp(again.text, config->text) == 0, "another canonical text", config->text);
    require(same_values(config, &again), "other values", config->text);
    mm_config_free(&again);
}

static void check_bad(const struct mm_error *error)
{
    size_t length = strlen(error->message);
    require(length > 0 && length < sizeof error->message - 1, "no message, or one that was cut", error->message);
    require(strpbrk(error->message, "\r\n\033") == NULL, "the message is not one line", error->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size == 0 ? NULL : memchr(data, 0xFF, size);
    size_t text_size = mark == NULL ? size : (size_t)(mark - data);
    char *rest = mark == NULL ? strdup("") : strndup((const char *)mark + 1, size - text_size - 1);
    char *text = malloc(text_size); /* of just this size: reading beyond it is an error that sanitizers see */
    require(rest != NULL && (text != NULL || text_size == 0), "no memory", "");
    if (text_size > 0)
        memcpy(text, data, text_size);
    const char *overrides[OVERRIDES_MAX];
    size_t count = 0;
    char *position = NULL;
    for (char *line = strtok_r(rest, "\n", &position); line != NULL && count < OVERRIDES_MAX;
         line = strtok_r(NULL, "\n", &position))
        overrides[count++] = line;

    struct mm_config config;
    struct mm_error error = {0};
    if (mm_config_parse("fuzz.ini", text, text_size, count, overrides, &config, &error) == MM_OK) {
        check_good(&config);
        mm_config_free(&config);
    } else {
        check_bad(&error);
    }
    free(text);
    free(rest);
    return 0;
}
