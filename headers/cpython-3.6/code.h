/*
 * The code object.
 * Facts: Include/code.h, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_CODE_H
#define PYFLAME_CPYTHON_3_6_CODE_H

#include "object.h"

struct PyCodeObject {
    PyObject ob_base;
    int co_argcount;
    int co_kwonlyargcount;
    int co_nlocals;
    int co_stacksize;
    int co_flags;
    /* Here since 3.6: up to 3.5 it comes after co_name. */
    int co_firstlineno;
    PyObject *co_code;
    PyObject *co_consts;
    PyObject *co_names;
    PyObject *co_varnames;
    PyObject *co_freevars;
    PyObject *co_cellvars;
    unsigned char *co_cell2arg;
    PyObject *co_filename;
    PyObject *co_name;
    /* A bytes object: the line table. */
    PyObject *co_lnotab;
    void *co_zombieframe;
    PyObject *co_weakreflist;
    /* New in 3.6 (PEP 523). */
    void *co_extra;
};

#endif
