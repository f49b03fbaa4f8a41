/*
 * The runtime state: the root of everything.
 * Facts: Include/internal/pycore_runtime.h, v3.11.7.
 */
#ifndef PYFLAME_CPYTHON_3_11_PYCORE_RUNTIME_H
#define PYFLAME_CPYTHON_3_11_PYCORE_RUNTIME_H

#include "object.h"
#include "pystate.h"
#include "pycore_gil.h"

typedef struct pyinterpreters {
    void *mutex;
    /* The newest one: the main interpreter is the last of the list. */
    PyInterpreterState *head;
    PyInterpreterState *main;
    int64_t next_id;
} pyinterpreters;

typedef struct _ceval_runtime_state {
    int signals_pending;
    _gil_runtime_state gil;
} _ceval_runtime_state;

typedef struct _gilstate_runtime_state {
    int check_enabled;
    /* The thread state that holds the GIL, or NULL. */
    PyThreadState *tstate_current;
    PyInterpreterState *autoInterpreterState;
    void *unread_autoTSSkey;
} _gilstate_runtime_state;

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
    void *unread_xidregistry[2];
    unsigned long main_thread;
    void *exitfuncs[32];
    int nexitfuncs;
    _ceval_runtime_state ceval;
    _gilstate_runtime_state gilstate;
} _PyRuntimeState;

#endif
