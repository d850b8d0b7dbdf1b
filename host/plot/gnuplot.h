/* gnuplot.h - draws figures with gnuplot, all in one look. */
#ifndef MM_PLOT_GNUPLOT_H
#define MM_PLOT_GNUPLOT_H

#include "plot/figure.h"

/** Formats of pictures. X(enumerator, ending of the file name, how every whole picture ends, but for line feeds: of
 * PNG the type and the checksum of its last chunk). */
#define MM_PICTURE_LIST(X)                                                                                         \
    X(MM_PICTURE_SVG, "svg", "</svg>")                                                                             \
    X(MM_PICTURE_PDF, "pdf", "%%EOF")                                                                              \
    X(MM_PICTURE_PNG, "png", "IEND\xAE\x42\x60\x82")

#define MM_PICTURE_ENUM(name, ending, last) name,
enum mm_picture_format { MM_PICTURE_LIST(MM_PICTURE_ENUM) };
#undef MM_PICTURE_ENUM

/** The format that the ending of a file name asks for; MM_ERROR_INPUT names those there are. */
mm_status mm_picture_format_find(const char *path, enum mm_picture_format *format, struct mm_error *error);

/** Writes the gnuplot script that draws a figure to standard output. The caller checks the stream. */
void mm_gnuplot_write_script(const struct mm_figure *figure, enum mm_picture_format format, FILE *stream);

/** A picture, as the bytes of its file. Free content with free(), also after a failure. */
struct mm_picture {
    char *content;
    size_t size;
};

/** Draws a figure: runs the program gnuplot, found on PATH. The same figure gives the same bytes: dates are set to
 *  a fixed one. Errors: MM_ERROR_SYSTEM, naming the package where there is no gnuplot, or with what it complained
 *  about, or because the picture lacks its end. */
mm_status mm_gnuplot_draw(const struct mm_figure *figure, enum mm_picture_format format, struct mm_picture *picture,
                          struct mm_error *error);

#endif
