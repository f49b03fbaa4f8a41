/*
 * The interpreter state.
 * Facts: Include/internal/pycore_interp.h, pycore_ceval_state.h, pycore_import.h, v3.13.0.
 */
#ifndef PYFLAME_CPYTHON_3_13_PYCORE_INTERP_H
#define PYFLAME_CPYTHON_3_13_PYCORE_INTERP_H

#include "object.h"
#include "pystate.h"
#include "pycore_gil.h"

typedef struct pythreads {
    uint64_t next_unique_id;
    PyThreadState *head;
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
    PyInterpreterState *next;
    int64_t id;
    int64_t id_refcount;
    int requires_idref;
    void *id_mutex;
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
    void *unread_gc[31];
#else
    void *unread_gc[30];
#endif
    /* The dictionary of the module sys. */
    PyObject *sysdict;
    PyObject *builtins;
    _import_state imports;
    _gil_runtime_state _gil;
};

#endif
