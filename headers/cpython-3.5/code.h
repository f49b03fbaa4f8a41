/*
 * The code object.
 * Facts: Include/code.h, v3.5.10.
 */
#ifndef PYFLAME_CPYTHON_3_5_CODE_H
#define PYFLAME_CPYTHON_3_5_CODE_H

#include "object.h"

struct PyCodeObject {
    PyObject ob_base;
    int co_argcount;
    int co_kwonlyargcount;
    int co_nlocals;
    int co_stacksize;
    int co_flags;
    PyObject *co_code;
    PyObject *co_consts;
    PyObject *co_names;
    PyObject *co_varnames;
    PyObject *co_freevars;
    PyObject *co_cellvars;
    unsigned char *co_cell2arg;
    PyObject *co_filename;
    PyObject *co_name;
    /* After the names: 3.6 moved it before co_code. */
    int co_firstlineno;
    /* A bytes object: the line table. */
    PyObject *co_lnotab;
    void *co_zombieframe;
    PyObject *co_weakreflist;
};

#endif
