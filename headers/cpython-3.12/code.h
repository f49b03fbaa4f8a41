/*
 * The code object.
 * Facts: Include/cpython/code.h, v3.12.1.
 */
#ifndef PYFLAME_CPYTHON_3_12_CODE_H
#define PYFLAME_CPYTHON_3_12_CODE_H

#include "object.h"

/* One instruction word: an opcode and its argument, a byte each. */
typedef uint16_t _Py_CODEUNIT;

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
    void *_co_cached;
    uint64_t _co_instrumentation_version;
    void *_co_monitoring;
    int _co_firsttraceable;
    void *co_extra;
    /* The instructions start here: this object is as long as its code. */
    char co_code_adaptive[1];
};

#endif
