/*
 * The thread state.
 * Facts: Include/cpython/pystate.h, v3.13.0.
 */
#ifndef PYFLAME_CPYTHON_3_13_PYSTATE_H
#define PYFLAME_CPYTHON_3_13_PYSTATE_H

#include "object.h"
#include "pycore_frame.h"

typedef struct _PyErr_StackItem {
    PyObject *exc_value;
    struct _PyErr_StackItem *previous_item;
} _PyErr_StackItem;

/* A block of memory that frames are allocated in. */
typedef struct _PyStackChunk {
    struct _PyStackChunk *previous;
    /* In bytes, this head included. */
    size_t size;
    /* Slots in use; only set in a chunk that is not the newest. */
    size_t top;
    /* The frames start here. */
    PyObject *data[1];
} _PyStackChunk;

/* CPython gives this struct no name. */
typedef struct PyThreadState_status {
    unsigned int initialized : 1;
    unsigned int bound : 1;
    unsigned int unbound : 1;
    unsigned int bound_gilstate : 1;
    unsigned int active : 1;
    unsigned int holds_gil : 1;
    unsigned int finalizing : 1;
    unsigned int cleared : 1;
    unsigned int finalized : 1;
} PyThreadState_status;

/*
 * Values of state. Only an attached thread may run Python code; a suspended one waits until the
 * interpreter lets all threads go on again.
 * Facts: Include/internal/pycore_pystate.h, of the same tag.
 */
enum {
    _Py_THREAD_DETACHED = 0,
    _Py_THREAD_ATTACHED = 1,
    _Py_THREAD_SUSPENDED = 2
};

struct PyThreadState {
    PyThreadState *prev;
    PyThreadState *next;
    PyInterpreterState *interp;
    uintptr_t eval_breaker;
    PyThreadState_status _status;
    int _whence;
    int state;
    int py_recursion_remaining;
    int py_recursion_limit;
    int c_recursion_remaining;
    int recursion_headroom;
    int tracing;
    int what_event;
    _PyInterpreterFrame *current_frame;
    void *c_profilefunc;
    void *c_tracefunc;
    PyObject *c_profileobj;
    PyObject *c_traceobj;
    PyObject *current_exception;
    _PyErr_StackItem *exc_info;
    PyObject *dict;
    int gilstate_counter;
    PyObject *async_exc;
    /* What pthread_self() returns. */
    unsigned long thread_id;
    /* What gettid() returns. */
    unsigned long native_thread_id;
    PyObject *delete_later;
    uintptr_t critical_section;
    int coroutine_origin_tracking_depth;
    PyObject *async_gen_firstiter;
    PyObject *async_gen_finalizer;
    PyObject *context;
    uint64_t context_ver;
    uint64_t id;
    _PyStackChunk *datastack_chunk;
    PyObject **datastack_top;
    PyObject **datastack_limit;
    _PyErr_StackItem exc_state;
    PyObject *previous_executor;
    uint64_t dict_global_version;
    PyObject *threading_local_key;
    PyObject *threading_local_sentinel;
};

#endif
