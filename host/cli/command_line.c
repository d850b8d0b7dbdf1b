/* command_line.c - a command line as text that a shell takes: the one given, and the one that goes on with a
 * run.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Appends one argument, quoted for the shell where it needs to be. */
static char *append_argument(char *end, const char *argument)
{
    bool plain = argument[0] != '\0' && argument[strcspn(argument, " \t\n'\"\\$`*?[]{}()<>|&;#~!")] == '\0';
    if (plain)
        return stpcpy(end, argument);
    *end++ = '\'';
    for (const char *c = argument; *c != '\0'; c++)
        end = *c == '\'' ? stpcpy(end, "'\\''") : (*end = *c, end + 1);
    *end++ = '\'';
    *end = '\0';
    return end;
}

char *cli_join_arguments(int argc, char **argv)
{
    size_t size = 1;
    for (int i = 0; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3; /* every character quoted, two quotes and a blank */
    char *line = malloc(size);
    if (line == NULL)
        return NULL;
    char *end = stpcpy(line, argv[0]); /* two words: the program and its command */
    for (int i = 1; i < argc; i++) {
        *end++ = ' ';
        end = append_argument(end, argv[i]);
    }
    return line;
}

/* ------------------------------------------------------------------------------------- going on with a run */

/* Length of the first argument of a line that cli_join_arguments wrote: up to a blank outside quotes. */
static size_t argument_length(const char *line)
{
    size_t length = 0;
    bool quoted = false;
    for (; line[length] != '\0' && (quoted || line[length] != ' '); length++)
        if (line[length] == '\'')
            quoted = !quoted;
        else if (!quoted && line[length] == '\\' && line[length + 1] != '\0')
            length++;
    return length;
}

/* Whether text[0 .. length-1] is a long option or as much of its name as tells it from others. */
static bool is_option(const char *text, size_t length, const char *option, size_t shortest)
{
    return length >= shortest && length <= strlen(option) && strncmp(text, option, length) == 0;
}

/* Arguments of the line that are left out where a run is gone on with, from this one on: 0, 1 or 2. */
static int arguments_to_drop(const char *argument, size_t length)
{
    const char *sign = memchr(argument, '=', length);
    size_t name = sign == NULL ? length : (size_t)(sign - argument);
    if (is_option(argument, length, "--force", strlen("--for"))) /* it would replace what is there */
        return 1;
    if (is_option(argument, name, "--task", strlen("--ta"))) /* one process fills all gaps */
        return sign == NULL ? 2 : 1;
    return 0;
}

char *cli_resuming_command(const char *command_line, const char *folder)
{
    char *text = malloc(4 * strlen(folder) + strlen(command_line) + sizeof "cd '' && ");
    if (text == NULL)
        return NULL;
    char *end = folder[0] == '\0' ? text : stpcpy(append_argument(stpcpy(text, "cd "), folder), " && ");
    const char *separator = "";
    int dropped = 0;
    bool options = true;
    for (const char *c = command_line; *c != '\0'; c += strspn(c, " ")) {
        size_t length = argument_length(c);
        options = options && !(length == 2 && strncmp(c, "--", 2) == 0);
        if (dropped == 0 && options)
            dropped = arguments_to_drop(c, length);
        if (dropped == 0) {
            end = mempcpy(stpcpy(end, separator), c, length);
            separator = " ";
        }
        dropped -= dropped > 0;
        c += length;
    }
    *end = '\0';
    return text;
}
