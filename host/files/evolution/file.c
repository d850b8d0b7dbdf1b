/* file.c - the HDF5 file of an evolution: grows beside its name, and is saved under it now and then.
 *
 *   /            attributes as in a result file, kind = "evolution", and `plan`: what was asked for, as text
 *   /protocol, /curve     files/evolution/curves.c; and in /curve method [curve]
 *   /evolution, /state    files/evolution/tables.c
 *   /resume      in a file that is not complete: files/evolution/resume.c
 *
 * HDF5 appends rounds to a working file that has lost its name as soon as it was open, so that nothing is left of
 * it whatever happens to the program. Saving copies the working file to a temporary name, adds to the copy what
 * tells about the run, syncs it and renames it: under the file's own name there is always either nothing, or an
 * older file, or all that was appended up to the last save.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files/evolution/file.h"
#include "files/hdf5/root.h"
#include "files/evolution/resume.h"

/* ------------------------------------------------------------------------------------------ working file */

static void clear(struct mm_evolution_file *file, const struct mm_evolution_plan *plan)
{
    *file = (struct mm_evolution_file){.working.descriptor = -1, .file = -1};
    mm_evolution_tables_clear(&file->tables, &file->hdf5, plan);
}

/* A write that failed is what is told, and not what HDF5 stumbled over in consequence. */
static mm_status tell_disk(struct mm_hdf5 *hdf5, const struct mm_hdf5_disk *disk)
{
    if (disk->failure != 0)
        hdf5->status = MM_OK;
    mm_hdf5_check_disk(hdf5, disk);
    return hdf5->status;
}

/* Opens the temporary file as the working file, a copy of `earlier` where that is not NULL. */
static mm_status open_temporary(struct mm_evolution_file *file, const struct mm_output_file *temporary,
                                const char *earlier, struct mm_error *error)
{
    mm_status status = earlier == NULL ? MM_OK : mm_output_file_copy(temporary, earlier, error);
    if (status != MM_OK)
        return status;
    file->file = earlier == NULL ? mm_hdf5_create_on_disk(&file->hdf5, temporary, &file->working)
                                 : mm_hdf5_open_on_disk(&file->hdf5, temporary, &file->working);
    return file->hdf5.status;
}

/* Makes the working file. After a failure the file is closed. */
static mm_status open_working(struct mm_evolution_file *file, const char *path, bool replace, const char *earlier,
                              struct mm_error *error)
{
    struct mm_output_file temporary;
    file->path = strdup(path);
    file->replace = replace;
    if (file->path == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
    mm_hdf5_begin(&file->hdf5, file->path, MM_ERROR_HDF5, error);
    mm_status status = mm_output_file_create(&temporary, path, replace, error);
    if (status == MM_OK) {
        status = open_temporary(file, &temporary, earlier, error);
        mm_output_file_discard(&temporary); /* takes its name away */
    }
    if (status != MM_OK)
        mm_evolution_file_close(file);
    return status;
}

/* Which methods the batches of each curve take. */
static void write_methods(struct mm_evolution_file *file, const struct mm_evolution *evolution, hid_t curve_axis)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_hdf5 *hdf5 = &file->hdf5;
    const char **methods = calloc(plan->curve_count, sizeof *methods);
    if (methods == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the curves");
        return;
    }
    for (size_t c = 0; c < plan->curve_count; c++)
        methods[c] = mm_evolution_method(evolution, c);
    hid_t group = mm_hdf5_check(hdf5, H5Gopen2(file->file, "curve", H5P_DEFAULT), "open group", "curve");
    hid_t text = mm_hdf5_text_type(hdf5);
    mm_evolution_write_of_curves(hdf5, group, "method",
                                 "how the collisions are made: stencil, powers of the channel, or both",
                                 plan->curve_count, curve_axis, text, methods);
    mm_hdf5_close(hdf5, text, H5Tclose, "string");
    mm_hdf5_close(hdf5, group, H5Gclose, "curve");
    free(methods);
}

/* Ends the opening of a file. */
static mm_status opened(struct mm_evolution_file *file)
{
    const mm_status status = tell_disk(&file->hdf5, &file->working);
    if (status != MM_OK)
        mm_evolution_file_close(file);
    return status;
}

mm_status mm_evolution_file_create(struct mm_evolution_file *file, const char *path, bool replace,
                                   const struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                   struct mm_error *error)
{
    char plan[MM_PLAN_TEXT_SIZE];
    hid_t curve_axis = -1;
    clear(file, evolution->plan);
    mm_status status = mm_evolution_plan_text(evolution->plan, plan, error);
    if (status == MM_OK)
        status = open_working(file, path, replace, NULL, error);
    if (status != MM_OK)
        return status;
    struct mm_hdf5 *hdf5 = &file->hdf5;
    mm_hdf5_write_text(hdf5, file->file, "plan", plan);
    mm_evolution_write_curves(hdf5, file->file, run->config, evolution->plan->curve_count, evolution->plan->curves,
                              &curve_axis);
    write_methods(file, evolution, curve_axis);
    mm_evolution_tables_create(&file->tables, file->file, curve_axis);
    mm_hdf5_close(hdf5, curve_axis, H5Dclose, "curve");
    return opened(file);
}

mm_status mm_evolution_file_continue(struct mm_evolution_file *file, const char *path,
                                     struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                     double *seconds, bool *complete, struct mm_error *error)
{
    clear(file, evolution->plan);
    mm_status status = mm_evolution_resume_read(path, evolution, run->config, seconds, complete, error);
    if (status != MM_OK || *complete)
        return status;
    status = open_working(file, path, true, path, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_check(&file->hdf5, H5Ldelete(file->file, "resume", H5P_DEFAULT), "remove", "resume");
    mm_evolution_tables_open(&file->tables, file->file);
    return opened(file);
}

void mm_evolution_file_close(struct mm_evolution_file *file)
{
    if (file->path == NULL)
        return;
    mm_evolution_tables_close(&file->tables); /* whatever it says: the working file is given up */
    mm_hdf5_close(&file->hdf5, file->file, H5Fclose, "file");
    mm_hdf5_end(&file->hdf5);
    if (file->working.descriptor >= 0)
        close(file->working.descriptor); /* has no name: there is nothing to lose */
    free(file->path);
    *file = (struct mm_evolution_file){.working.descriptor = -1, .file = -1};
}

/* ------------------------------------------------------------------------------------ appending, saving */

mm_status mm_evolution_file_append(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   struct mm_error *error)
{
    file->hdf5.error = error;
    mm_evolution_tables_append(&file->tables, evolution);
    return tell_disk(&file->hdf5, &file->working);
}

/* Adds to the copy what tells about the run, and syncs it. */
static mm_status describe(const struct mm_evolution_file *file, const struct mm_output_file *copy,
                          const struct mm_evolution *evolution, const struct mm_evolution_run *run,
                          struct mm_error *error)
{
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_EVOLUTION),
        .configuration = run->config->text,
        .seed = run->config->seed,
        .backend = mm_evolution_backend(evolution),
        .device = mm_evolution_device(evolution),
        .info = run->info,
        .seconds = run->seconds,
        .complete = mm_evolution_done(evolution),
    };
    struct mm_hdf5 hdf5;
    struct mm_hdf5_disk disk;
    mm_hdf5_begin(&hdf5, file->path, MM_ERROR_HDF5, error);
    hid_t saved = mm_hdf5_open_on_disk(&hdf5, copy, &disk);
    mm_hdf5_write_root(&hdf5, saved, &root);
    if (!root.complete)
        mm_evolution_resume_write(&hdf5, saved, evolution);
    mm_hdf5_close_on_disk(&hdf5, saved, &disk);
    tell_disk(&hdf5, &disk);
    return mm_hdf5_end(&hdf5);
}

/* Copies the working file, which HDF5 has to close for it: an open file is marked as one being written. */
static mm_status copy_working(struct mm_evolution_file *file, const struct mm_output_file *copy,
                              struct mm_error *error)
{
    mm_evolution_tables_close(&file->tables);
    mm_hdf5_close(&file->hdf5, file->file, H5Fclose, "file");
    file->file = -1;
    if (tell_disk(&file->hdf5, &file->working) != MM_OK)
        return file->hdf5.status;
    mm_status status = mm_output_file_copy_open(copy, file->working.descriptor, error);
    file->file = mm_hdf5_reopen_on_disk(&file->hdf5, &file->working);
    mm_evolution_tables_open(&file->tables, file->file);
    return status == MM_OK ? file->hdf5.status : status;
}

mm_status mm_evolution_file_save(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                 const struct mm_evolution_run *run, struct mm_error *error)
{
    struct mm_output_file copy;
    file->hdf5.error = error;
    mm_status status = mm_output_file_create(&copy, file->path, file->replace, error);
    if (status != MM_OK)
        return status;
    status = copy_working(file, &copy, error);
    if (status == MM_OK)
        status = describe(file, &copy, evolution, run, error);
    if (status != MM_OK) {
        mm_output_file_discard(&copy);
        return status;
    }
    status = mm_output_file_commit(&copy, file->replace, error);
    file->replace = file->replace || status == MM_OK;
    return status;
}
