/*
 * Looks like a CPython that does not exist: the symbols are there, the objects
 * are not. Says `ready` and waits until its standard input closes.
 *
 *   -DHEX=0x030c00b1   the version, as PY_VERSION_HEX
 *   -DPYPY             looks like a PyPy instead
 */
#include <unistd.h>

#ifdef PYPY

int pypy_main_startup(void)
{
    return 0;
}

#else

struct object {
    unsigned long references;
    void *type;
    unsigned long rest[64];
};

/* A type is its own type. */
struct object PyType_Type = {1, &PyType_Type, {0}};
struct object PyCode_Type = {1, &PyType_Type, {0}};
struct object PyFrame_Type = {1, &PyType_Type, {0}};
struct object PyUnicode_Type = {1, &PyType_Type, {0}};

const unsigned long Py_Version = HEX;

/* Some bytes that are no interpreter, thread or frame. */
unsigned long nonsense[4096] = {1, 2, 3, 4, 5, 6, 7, 8};

/* The beginning is that of _Py_DebugOffsets. */
struct {
    char cookie[8];
    unsigned long version;
    unsigned long free_threaded;
    unsigned long *words[4096];
} _PyRuntime = {"xdebugpy", HEX, 0, {nonsense, nonsense, nonsense, nonsense}};

void *PyInterpreterState_Head(void)
{
    return _PyRuntime.words[2];
}

void PyUnstable_Code_GetExtra(void) {}

#endif

int main(void)
{
    char byte;

    if (write(1, "ready\n", 6) != 6)
        return 1;
    return read(0, &byte, 1) < 0;
}
