/*
 * The thread state and the interpreter state.
 * Facts: Include/pystate.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_PYSTATE_H
#define PYFLAME_CPYTHON_2_7_PYSTATE_H

#include "object.h"
#include "frameobject.h"

struct PyThreadState {
    PyThreadState *next;
    PyInterpreterState *interp;
    PyFrameObject *frame;
    int recursion_depth;
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
    int tick_counter;
    int gilstate_counter;
    PyObject *async_exc;
    /* What pthread_self() returns. */
    long thread_id;
    int trash_delete_nesting;
    PyObject *trash_delete_later;
};

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    PyThreadState *tstate_head;
    /* sys.modules */
    PyObject *modules;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

#endif
