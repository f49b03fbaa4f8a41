/*
 * The interpreter state.
 * Facts: Include/internal/pycore_interp.h, v3.11.7.
 */
#ifndef PYFLAME_CPYTHON_3_11_PYCORE_INTERP_H
#define PYFLAME_CPYTHON_3_11_PYCORE_INTERP_H

#include "object.h"
#include "pystate.h"

typedef struct pythreads {
    uint64_t next_unique_id;
    PyThreadState *head;
    long count;
    size_t stacksize;
} pythreads;

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    pythreads threads;
    void *runtime;
    int64_t id;
    int64_t id_refcount;
    int requires_idref;
    void *id_mutex;
    int _initialized;
    int finalizing;
    _Bool _static;
    void *unread_ceval[69];
    void *unread_gc[30];
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

#endif
