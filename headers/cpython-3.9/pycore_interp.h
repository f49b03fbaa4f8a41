/*
 * The interpreter state.
 * Facts: Include/internal/pycore_interp.h, v3.9.18.
 */
#ifndef PYFLAME_CPYTHON_3_9_PYCORE_INTERP_H
#define PYFLAME_CPYTHON_3_9_PYCORE_INTERP_H

#include "object.h"
#include "pystate.h"

/* Up to the last field needed. */
struct PyInterpreterState {
    PyInterpreterState *next;
    PyThreadState *tstate_head;
    void *runtime;
    int64_t id;
    int64_t id_refcount;
    int requires_idref;
    void *id_mutex;
    int finalizing;
    void *unread_ceval[69];
    void *unread_gc[30];
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    /* The dictionary of the module sys. */
    PyObject *sysdict;
};

#endif
