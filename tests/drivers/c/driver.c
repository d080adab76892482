/* The driver in C: does what the conformance runner asks, one line for one line. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int hello(FILE *out)
{
    fputs(" language=c verbs=fork,remedy", out);
    for (const struct verb *verb = own_verbs; verb->name != NULL; verb++)
        fprintf(out, ",%s", verb->name);
    for (const struct verb *verb = library_verbs; verb->name != NULL; verb++)
        fprintf(out, ",%s", verb->name);
    return 0;
}

static int perform(struct driver *driver, FILE *out)
{
    const char *name = driver->request.verb;
    if (strcmp(name, "hello") == 0)
        return hello(out);
    if (strcmp(name, "remedy") == 0) {
        put_text(out, "remedy", driver->fault.remedy);
        return 0;
    }
    for (const struct verb *verb = own_verbs; verb->name != NULL; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb->perform(driver, out);
    for (const struct verb *verb = library_verbs; verb->name != NULL; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb->perform(driver, out);
    return fault_protocol(driver, "there is no such verb");
}

/* The answer, which the caller frees. */
static char *answer(struct driver *driver, char *line)
{
    char *said = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&said, &length);
    if (out == NULL)
        abort();
    fputs("ok", out);
    int result = parse(driver, line);
    if (result == 0)
        result = perform(driver, out);
    if (result < 0) {
        rewind(out);
        fprintf(out, "err %s %d", driver->fault.kind, driver->fault.number);
        fputc('\0', out);
    }
    fclose(out);
    return said;
}

/* The same, found out by a child of this process. */
static char *answer_of_child(struct driver *driver, char *line)
{
    int ends[2];
    if (pipe(ends) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        char *said = answer(driver, line);
        size_t length = strlen(said);
        _exit(write(ends[1], said, length) == (ssize_t)length ? 0 : 1);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    char *said = NULL;
    size_t room = 0;
    if (child < 0 || in == NULL || getdelim(&said, &room, '\0', in) < 0)
        abort();
    fclose(in);
    waitpid(child, NULL, 0);
    return said;
}

int main(void)
{
    struct driver *driver = calloc(1, sizeof *driver);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while (driver != NULL && (length = getline(&line, &room, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0)
            break;
        bool is_for_child = strncmp(line, "fork ", 5) == 0;
        char *said = is_for_child ? answer_of_child(driver, line + 5) : answer(driver, line);
        puts(said);
        free(said);
        if (fflush(stdout) != 0)
            break;
    }
    /* A flow that nobody has waited for has no end: it is the scenario's mistake. */
    for (size_t i = 0; driver != NULL && i < THINGS_MAX; i++)
        if (driver->things[i].kind != POURED && driver->things[i].kind != DRAINED)
            forget(&driver->things[i]);
    free(line);
    free(driver);
    return EXIT_SUCCESS;
}
