/*
 * The code object.
 * Facts: Include/code.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_CODE_H
#define PYFLAME_CPYTHON_2_7_CODE_H

#include "object.h"

struct PyCodeObject {
    OBJECT_HEAD
    int co_argcount;
    int co_nlocals;
    int co_stacksize;
    int co_flags;
    PyObject *co_code;
    PyObject *co_consts;
    PyObject *co_names;
    PyObject *co_varnames;
    PyObject *co_freevars;
    PyObject *co_cellvars;
    PyObject *co_filename;
    PyObject *co_name;
    int co_firstlineno;
    /* A str object: the line table. */
    PyObject *co_lnotab;
    void *co_zombieframe;
    PyObject *co_weakreflist;
};

#endif
