/*
 * The thread state and the interpreter state.
 * Facts: Include/pystate.h, v3.5.10.
 */
#ifndef PYFLAME_CPYTHON_3_5_PYSTATE_H
#define PYFLAME_CPYTHON_3_5_PYSTATE_H

#include "object.h"
#include "frameobject.h"

struct PyThreadState {
    PyThreadState *prev;
    PyThreadState *next;
    PyInterpreterState *interp;
    PyFrameObject *frame;
    int recursion_depth;
    char overflowed;
    char recursion_critical;
    int tracing;
    int use_tracing;
    void *c_profilefunc;
    void *c_tracefunc;
    PyObject *c_profileobj;
    PyObject *c_traceobj;
    PyObject *curexc_type;
    PyObject *curexc_value;
    PyObject *curexc_traceback;
    PyObject *exc_type;
    PyObject *exc_value;
    PyObject *exc_traceback;
    PyObject *dict;
    int gilstate_counter;
    PyObject *async_exc;
    /* What pthread_self() returns. */
    long thread_id;
    int trash_delete_nesting;
    PyObject *trash_delete_later;
    void *on_delete;
    void *on_delete_data;
    PyObject *coroutine_wrapper;
    int in_coroutine_wrapper;
};

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    PyThreadState *tstate_head;
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

#endif
