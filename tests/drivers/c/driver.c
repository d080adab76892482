/* The driver in C: answers each line of the conformance runner with one line. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct verb *const tables[] = { plain_verbs, operations, library_verbs };
enum { TABLES = sizeof tables / sizeof tables[0] };

static int hello(FILE *out)
{
    fputs(" language=c verbs=fork,remedy", out);
    for (int table = 0; table < TABLES; table++)
        for (const struct verb *verb = tables[table]; verb->name != NULL; verb++)
            fprintf(out, ",%s", verb->name);
    return 0;
}

static int perform(struct driver *driver, FILE *out)
{
    const char *name = driver->request.verb;
    if (strcmp(name, "hello") == 0)
        return hello(out);
    if (strcmp(name, "remedy") == 0) {
        print_text(out, "", "remedy", driver->fault.remedy);
        return 0;
    }
    for (int table = 0; table < TABLES; table++)
        for (const struct verb *verb = tables[table]; verb->name != NULL; verb++)
            if (strcmp(verb->name, name) == 0)
                return verb->perform(driver, out);
    return fault_protocol(driver, "unknown verb");
}

/* The answer to a line. The caller frees it. */
static char *answer(struct driver *driver, char *line)
{
    char *answer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&answer, &length);
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
    return answer;
}

/* The answer that a child of this process finds. */
static char *answer_of_child(struct driver *driver, char *line)
{
    int ends[2];
    if (pipe(ends) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        char *found = answer(driver, line);
        size_t length = strlen(found);
        _exit(write(ends[1], found, length) == (ssize_t)length ? 0 : 1);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    char *found = NULL;
    size_t room = 0;
    if (child < 0 || in == NULL || getdelim(&found, &room, '\0', in) < 0)
        abort();
    fclose(in);
    waitpid(child, NULL, 0);
    return found;
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
        char *found = is_for_child ? answer_of_child(driver, line + 5) : answer(driver, line);
        puts(found);
        free(found);
        if (fflush(stdout) != 0)
            break;
    }
    /* A transfer that the scenario did not end may never end, so it is not waited for. */
    for (size_t i = 0; driver != NULL && i < OBJECTS_MAX; i++)
        if (driver->objects[i].kind != SENDING && driver->objects[i].kind != RECEIVING)
            release(&driver->objects[i]);
    free(line);
    free(driver);
    return EXIT_SUCCESS;
}
