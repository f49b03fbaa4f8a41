/*
 * The runtime state: the root of everything.
 * Facts: Include/internal/pystate.h, Include/internal/ceval.h, v3.7.16.
 */
#ifndef PYFLAME_CPYTHON_3_7_INTERNAL_PYSTATE_H
#define PYFLAME_CPYTHON_3_7_INTERNAL_PYSTATE_H

#include "../pystate.h"
#include "gil.h"

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

/* 3.7.4 and later, up to the last field needed. */
typedef struct _PyRuntimeState {
    int initialized;
    int core_initialized;
    /* The thread state that ends the process, or NULL. */
    PyThreadState *finalizing;
    pyinterpreters interpreters;
    void *exitfuncs[32];
    int nexitfuncs;
    /* The collector's state is aligned to 16 bytes since 3.7.4. */
    int unread_padding[3];
    void *unread_gc[44];
    void *unread_warnings[4];
    _ceval_runtime_state ceval;
    _gilstate_runtime_state gilstate;
} _PyRuntimeState;

/*
 * 3.7.0 to 3.7.3: the head of a collected object held a double instead of a
 * long double (Include/objimpl.h), so the collector's state was 80 bytes shorter
 * and not aligned to 16: all that follows it was 88 bytes earlier.
 */
typedef struct _PyRuntimeState_3_7_0 {
    int initialized;
    int core_initialized;
    /* The thread state that ends the process, or NULL. */
    PyThreadState *finalizing;
    pyinterpreters interpreters;
    void *exitfuncs[32];
    int nexitfuncs;
    void *unread_gc[34];
    void *unread_warnings[4];
    _ceval_runtime_state ceval;
    _gilstate_runtime_state gilstate;
} _PyRuntimeState_3_7_0;

#endif
