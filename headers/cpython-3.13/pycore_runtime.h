/*
 * The runtime state: the root of everything.
 * Facts: Include/internal/pycore_runtime.h, v3.13.0.
 */
#ifndef PYFLAME_CPYTHON_3_13_PYCORE_RUNTIME_H
#define PYFLAME_CPYTHON_3_13_PYCORE_RUNTIME_H

#include "object.h"
#include "pystate.h"
#include "pycore_debug_offsets.h"

typedef struct pyinterpreters {
    uint8_t mutex;
    /* The newest one: the main interpreter is the last of the list. */
    PyInterpreterState *head;
    PyInterpreterState *main;
    int64_t next_id;
} pyinterpreters;

/* Up to the last field needed. */
typedef struct _PyRuntimeState {
    _Py_DebugOffsets debug_offsets;
    int _initialized;
    int preinitializing;
    int preinitialized;
    int core_initialized;
    int initialized;
    /* The thread state that ends the process, or NULL. */
    PyThreadState *_finalizing;
    unsigned long _finalizing_id;
    pyinterpreters interpreters;
    unsigned long main_thread;
    PyThreadState *main_tstate;
} _PyRuntimeState;

#endif
