/*
 * pyshim: turns an executable that merely embeds a statically linked CPython
 * (it exports the C API, but its own `main` runs something else) into a
 * command-line interpreter, without changing a byte of that executable.
 *
 * Build it as a shared object under the name of a library that the executable
 * needs (libutil.so.1: empty since glibc 2.34) and put it where the
 * executable's RPATH looks first.  It replaces `main` on its way into
 * __libc_start_main.
 *
 * No Python headers: all is looked up by name, so that one object serves
 * CPython 2.7 to 3.15.  The interpreter finds its library the ordinary way, in
 * EXE/../lib/pythonX.Y (landmark os.py) and lib-dynload below it.
 *
 * Understood where the executable has no Py_BytesMain:
 *     [-BEISsuVv] [-X opt] [-W arg] (-c CODE | -m MODULE | SCRIPT | -) [ARG...]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

typedef int (*main_fn)(int, char **, char **);
typedef int (*start_fn)(main_fn, int, char **, void (*)(void), void (*)(void),
                        void (*)(void), void *);

static void *api(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

static void *need(const char *name)
{
    void *p = api(name);
    if (!p) {
        fprintf(stderr, "pyshim: %s is not exported by this executable\n", name);
        exit(127);
    }
    return p;
}

#define CALL(ret, name, args) ((ret(*) args)need(name))

static void set_flag(const char *name)
{
    int *flag = api(name);
    if (flag)
        *flag = 1;
}

static wchar_t *widen(const char *s)
{
    /* the surrogateescape-aware decoder: its name since 3.5, and in 3.4 */
    wchar_t *(*decode)(const char *, size_t *) = api("Py_DecodeLocale");
    if (!decode)
        decode = need("_Py_char2wchar");
    return decode(s, NULL);
}

static int python_main(int argc, char **argv, char **envp)
{
    (void)envp;
    const char *version = CALL(const char *, "Py_GetVersion", (void))();
    int py2 = version[0] == '2';
    const char *code = NULL, *module = NULL;
    int i;

    int (*whole)(int, char **) = api("Py_BytesMain");
    if (whole)
        return whole(argc, argv);

    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] && !code && !module; i++) {
        for (const char *o = argv[i] + 1; *o; o++) {
            const char *value = NULL;
            if (strchr("cmXW", *o)) {
                value = o[1] ? o + 1 : i + 1 < argc ? argv[++i] : NULL;
                if (!value) {
                    fprintf(stderr, "pyshim: -%c needs an argument\n", *o);
                    return 2;
                }
            }
            switch (*o) {
            case 'c': code = value; break;
            case 'm': module = value; break;
            case 'X': case 'W': break;
            case 'V':
                printf("Python %.*s\n", (int)strcspn(version, " "), version);
                return 0;
            case 'B': set_flag("Py_DontWriteBytecodeFlag"); break;
            case 'E': set_flag("Py_IgnoreEnvironmentFlag"); break;
            case 's': set_flag("Py_NoUserSiteDirectory"); break;
            case 'S': set_flag("Py_NoSiteFlag"); break;
            case 'v': set_flag("Py_VerboseFlag"); break;
            case 'I':
                set_flag("Py_IgnoreEnvironmentFlag");
                set_flag("Py_NoUserSiteDirectory");
                set_flag("Py_IsolatedFlag");
                break;
            case 'u':
                set_flag("Py_UnbufferedStdioFlag");
                if (py2)
                    setvbuf(stdout, NULL, _IONBF, 0);
                break;
            default:
                fprintf(stderr, "pyshim: unknown option -%c\n", *o);
                return 2;
            }
            if (value)
                break;
        }
    }

    /* sys.argv[0] is what Py_Main would make it: "-c", "-m", the script or "" */
    int named = code || module, nargs = argc - i + named;
    char **args = calloc(nargs + 2, sizeof *args);
    if (named)
        args[0] = code ? "-c" : "-m";
    memcpy(args + named, argv + i, (argc - i) * sizeof *args);
    if (nargs == 0)
        args[nargs++] = "";
    const char *script = named || !*args[0] || !strcmp(args[0], "-") ? NULL : args[0];

    FILE *fp = stdin;
    if (script && !(fp = fopen(script, "r"))) {
        fprintf(stderr, "%s: can't open file '%s'\n", argv[0], script);
        return 2;
    }

    if (py2) {
        CALL(void, "Py_SetProgramName", (char *))(argv[0]);
        CALL(void, "Py_Initialize", (void))();
        CALL(void, "PySys_SetArgvEx", (int, char **, int))(nargs, args, 1);
    } else {
        char *locale = strdup(setlocale(LC_ALL, NULL));
        setlocale(LC_ALL, "");
        wchar_t **wide = calloc(nargs + 1, sizeof *wide);
        for (int k = 0; k < nargs; k++)
            wide[k] = widen(args[k]);
        wchar_t *self = widen(argv[0]);
        setlocale(LC_ALL, locale);
        CALL(void, "Py_SetProgramName", (const wchar_t *))(self);
        CALL(void, "Py_Initialize", (void))();
        CALL(void, "PySys_SetArgvEx", (int, wchar_t **, int))(nargs, wide, 1);
    }

    int rc;
    char *run = NULL;
    if (module && asprintf(&run, "import runpy; runpy._run_module_as_main('%s')", module) < 0)
        return 1;
    if (named)
        rc = CALL(int, "PyRun_SimpleStringFlags", (const char *, void *))(code ? code : run, NULL);
    else
        rc = CALL(int, "PyRun_SimpleFileExFlags", (FILE *, const char *, int, void *))(
            fp, script ? script : "<stdin>", script != NULL, NULL);
    CALL(void, "Py_Finalize", (void))();
    return rc ? 1 : 0;
}

int __libc_start_main(main_fn real_main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_fn next = (start_fn)dlsym(RTLD_NEXT, "__libc_start_main");
    return next(api("Py_Initialize") ? python_main : real_main, argc, argv, init, fini,
                rtld_fini, stack_end);
}
