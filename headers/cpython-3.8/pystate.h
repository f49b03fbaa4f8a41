/*
 * The thread state.
 * Facts: Include/cpython/pystate.h, v3.8.18.
 */
#ifndef PYFLAME_CPYTHON_3_8_PYSTATE_H
#define PYFLAME_CPYTHON_3_8_PYSTATE_H

#include "object.h"
#include "frameobject.h"

typedef struct _PyErr_StackItem {
    PyObject *exc_type;
    PyObject *exc_value;
    PyObject *exc_traceback;
    struct _PyErr_StackItem *previous_item;
} _PyErr_StackItem;

struct PyThreadState {
    PyThreadState *prev;
    PyThreadState *next;
    PyInterpreterState *interp;
    PyFrameObject *frame;
    int recursion_depth;
    char overflowed;
    char recursion_critical;
    int stackcheck_counter;
    int tracing;
    int use_tracing;
    void *c_profilefunc;
    void *c_tracefunc;
    PyObject *c_profileobj;
    PyObject *c_traceobj;
    PyObject *curexc_type;
    PyObject *curexc_value;
    PyObject *curexc_traceback;
    _PyErr_StackItem exc_state;
    _PyErr_StackItem *exc_info;
    PyObject *dict;
    int gilstate_counter;
    PyObject *async_exc;
    /* What pthread_self() returns. */
    unsigned long thread_id;
    int trash_delete_nesting;
    PyObject *trash_delete_later;
    void *on_delete;
    void *on_delete_data;
    int coroutine_origin_tracking_depth;
    PyObject *async_gen_firstiter;
    PyObject *async_gen_finalizer;
    PyObject *context;
    uint64_t context_ver;
    uint64_t id;
};

#endif
