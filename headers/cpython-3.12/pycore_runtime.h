/*
 * The runtime state: the root of everything.
 * Facts: Include/internal/pycore_runtime.h, v3.12.1.
 */
#ifndef PYFLAME_CPYTHON_3_12_PYCORE_RUNTIME_H
#define PYFLAME_CPYTHON_3_12_PYCORE_RUNTIME_H

#include "object.h"
#include "pystate.h"

typedef struct pyinterpreters {
    void *mutex;
    /* The newest one: the main interpreter is the last of the list. */
    PyInterpreterState *head;
    PyInterpreterState *main;
    int64_t next_id;
} pyinterpreters;

/* Up to the last field needed. */
typedef struct _PyRuntimeState {
    int _initialized;
    int preinitializing;
    int preinitialized;
    int core_initialized;
    int initialized;
    /* The thread state that ends the process, or NULL. */
    PyThreadState *_finalizing;
    pyinterpreters interpreters;
    unsigned long main_thread;
} _PyRuntimeState;

#endif
