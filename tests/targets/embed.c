/*
 * A program that loads Python at run time, under whatever name the file has:
 *
 *   embed LIBRARY HOME ARGUMENTS...     arguments as for python
 *   embed --below LIBRARY ...           in a child, as the loader of a bundled program does
 *
 * When Python has ended, it unloads the library, writes "unloaded" to standard output
 * and waits until standard input ends.
 */
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static wchar_t *widen(const char *text)
{
    size_t size = mbstowcs(NULL, text, 0) + 1;
    wchar_t *wide = calloc(size, sizeof *wide);

    mbstowcs(wide, text, size);
    return wide;
}

static int run(void *library, int argc, char **argv)
{
    int (*narrow_main)(int, char **);
    int (*wide_main)(int, wchar_t **);
    wchar_t **wide;
    int i;

    narrow_main = (int (*)(int, char **))dlsym(library, "Py_BytesMain");
    if (narrow_main == NULL && dlsym(library, "PyString_Type") != NULL)
        narrow_main = (int (*)(int, char **))dlsym(library, "Py_Main");
    if (narrow_main != NULL)
        return narrow_main(argc, argv);
    wide_main = (int (*)(int, wchar_t **))dlsym(library, "Py_Main");
    wide = calloc(argc + 1, sizeof *wide);
    for (i = 0; i < argc; i++)
        wide[i] = widen(argv[i]);
    return wide_main(argc, wide);
}

int main(int argc, char **argv)
{
    void *library;
    int status;
    char byte;

    if (argc > 1 && strcmp(argv[1], "--below") == 0) {
        if (fork() > 0) {
            wait(&status);
            return WEXITSTATUS(status);
        }
        argc--, argv++;
    }
    if (argc < 3)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    setlocale(LC_ALL, "");
    setenv("PYTHONHOME", argv[2], 1);
    /* argv[2] takes the place of the program's name. */
    status = run(library, argc - 2, argv + 2);
    dlclose(library);
    printf("unloaded\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
    return status;
}
