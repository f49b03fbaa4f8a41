/*
 * The thread state and the interpreter state.
 * Facts: Include/pystate.h, v3.7.16.
 */
#ifndef PYFLAME_CPYTHON_3_7_PYSTATE_H
#define PYFLAME_CPYTHON_3_7_PYSTATE_H

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
    PyObject *coroutine_wrapper;
    int in_coroutine_wrapper;
    PyObject *async_gen_firstiter;
    PyObject *async_gen_finalizer;
    PyObject *context;
    uint64_t context_ver;
    uint64_t id;
};

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    PyThreadState *tstate_head;
    int64_t id;
    int64_t id_refcount;
    void *id_mutex;
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

#endif
