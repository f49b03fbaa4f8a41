/*
 * The interpreter state and the runtime state.
 * Facts: Include/internal/pycore_pystate.h, v3.8.18.
 */
#ifndef PYFLAME_CPYTHON_3_8_PYCORE_PYSTATE_H
#define PYFLAME_CPYTHON_3_8_PYCORE_PYSTATE_H

#include "pystate.h"
#include "pycore_gil.h"

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    PyThreadState *tstate_head;
    int64_t id;
    int64_t id_refcount;
    int requires_idref;
    void *id_mutex;
    int finalizing;
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

typedef struct pyinterpreters {
    void *mutex;
    /* The newest one: the main interpreter is the last of the list. */
    PyInterpreterState *head;
    PyInterpreterState *main;
    int64_t next_id;
} pyinterpreters;

typedef struct _ceval_runtime_state {
    int recursion_limit;
    int tracing_possible;
    int eval_breaker;
    int gil_drop_request;
    void *unread_pending[68];
    int signals_pending;
    _gil_runtime_state gil;
} _ceval_runtime_state;

typedef struct _gilstate_runtime_state {
    int check_enabled;
    /* The thread state that holds the GIL, or NULL. */
    PyThreadState *tstate_current;
    void *getframe;
    PyInterpreterState *autoInterpreterState;
    void *unread_autoTSSkey;
} _gilstate_runtime_state;

/* Up to the last field needed. */
typedef struct _PyRuntimeState {
    int preinitializing;
    int preinitialized;
    int core_initialized;
    int initialized;
    /* The thread state that ends the process, or NULL. */
    PyThreadState *finalizing;
    pyinterpreters interpreters;
    void *unread_xidregistry[2];
    unsigned long main_thread;
    void *exitfuncs[32];
    int nexitfuncs;
    void *unread_gc[30];
    _ceval_runtime_state ceval;
    _gilstate_runtime_state gilstate;
} _PyRuntimeState;

#endif
