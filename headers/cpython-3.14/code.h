/*
 * The code object.
 * Facts: Include/cpython/code.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_CODE_H
#define PYFLAME_CPYTHON_3_14_CODE_H

#include "object.h"

/* One instruction word: an opcode and its argument, a byte each. */
typedef uint16_t _Py_CODEUNIT;

#ifdef Py_GIL_DISABLED
/* The copies of the instructions, by the index that a thread has; 0 is the one below. */
typedef struct _PyCodeArray {
    Py_ssize_t size;
    char *entries[1];
} _PyCodeArray;
#endif

struct PyCodeObject {
    PyVarObject ob_base;
    PyObject *co_consts;
    PyObject *co_names;
    PyObject *co_exceptiontable;
    int co_flags;
    int co_argcount;
    int co_posonlyargcount;
    int co_kwonlyargcount;
    int co_stacksize;
    int co_firstlineno;
    int co_nlocalsplus;
    int co_framesize;
    int co_nlocals;
    int co_ncellvars;
    int co_nfreevars;
    uint32_t co_version;
    PyObject *co_localsplusnames;
    PyObject *co_localspluskinds;
    PyObject *co_filename;
    PyObject *co_name;
    PyObject *co_qualname;
    /* A bytes object: the location table. */
    PyObject *co_linetable;
    PyObject *co_weakreflist;
    void *co_executors;
    void *_co_cached;
    uintptr_t _co_instrumentation_version;
    void *_co_monitoring;
    Py_ssize_t _co_unique_id;
    int _co_firsttraceable;
    void *co_extra;
#ifdef Py_GIL_DISABLED
    _PyCodeArray *co_tlbc;
#endif
    /* The instructions start here: this object is as long as its code. */
    char co_code_adaptive[1];
};

#endif
