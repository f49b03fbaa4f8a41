/*
 * The interpreter state.
 * Facts: Include/internal/pycore_interp_structs.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_PYCORE_INTERP_STRUCTS_H
#define PYFLAME_CPYTHON_3_14_PYCORE_INTERP_STRUCTS_H

#include "object.h"
#include "pystate.h"
#include "pycore_gil.h"

typedef struct pythreads {
    uint64_t next_unique_id;
    PyThreadState *head;
    void *preallocated;
    PyThreadState *main;
    Py_ssize_t count;
    size_t stacksize;
} pythreads;

typedef struct _ceval_state {
    uintptr_t instrumentation_version;
    int recursion_limit;
    /* The interpreter's own, or the main interpreter's. */
    _gil_runtime_state *gil;
    int own_gil;
    void *unread_pending[904];
} _ceval_state;

typedef struct _import_state {
    /* sys.modules */
    PyObject *modules;
    PyObject *modules_by_index;
    PyObject *importlib;
    int override_frozen_modules;
    int override_multi_interp_extensions_check;
    int dlopenflags;
    PyObject *import_func;
    void *unread_lock[3];
    void *unread_find_and_load[3];
} _import_state;

/* Up to the last field needed. */
struct PyInterpreterState {
    _ceval_state ceval;
    void *_malloced;
    PyInterpreterState *next;
    int64_t id;
    Py_ssize_t id_refcount;
    int requires_idref;
    long _whence;
    int _initialized;
    int _ready;
    int finalizing;
    uintptr_t last_restart_version;
    pythreads threads;
    void *runtime;
    PyThreadState *_finalizing;
    unsigned long _finalizing_id;
#ifdef Py_GIL_DISABLED
    void *unread_gc[36];
#else
    void *unread_gc[33];
#endif
    /* The dictionary of the module sys. */
    PyObject *sysdict;
    PyObject *builtins;
    _import_state imports;
    _gil_runtime_state _gil;
    /* Counts code objects that were freed: a cache of them is stale when it moves. */
    uint64_t _code_object_generation;
};

#endif
