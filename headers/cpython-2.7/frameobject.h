/*
 * The frame object.
 * Facts: Include/frameobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_FRAMEOBJECT_H
#define PYFLAME_CPYTHON_2_7_FRAMEOBJECT_H

#include "object.h"
#include "code.h"

typedef struct PyTryBlock {
    int b_type;
    int b_handler;
    int b_level;
} PyTryBlock;

struct PyFrameObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    PyFrameObject *f_back;
    PyCodeObject *f_code;
    PyObject *f_builtins;
    PyObject *f_globals;
    PyObject *f_locals;
    PyObject **f_valuestack;
    PyObject **f_stacktop;
    PyObject *f_trace;
    PyObject *f_exc_type;
    PyObject *f_exc_value;
    PyObject *f_exc_traceback;
    PyThreadState *f_tstate;
    /* Offset in bytes of the last instruction, -1 before the first. */
    int f_lasti;
    /* Only kept up to date while a trace function is set. */
    int f_lineno;
    int f_iblock;
    PyTryBlock f_blockstack[20];
    /* Locals, cells and free variables start here, then the value stack. */
    PyObject *f_localsplus[1];
};

#endif
