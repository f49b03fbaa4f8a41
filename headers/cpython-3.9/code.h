/*
 * The code object.
 * Facts: Include/cpython/code.h, v3.9.18.
 */
#ifndef PYFLAME_CPYTHON_3_9_CODE_H
#define PYFLAME_CPYTHON_3_9_CODE_H

#include "object.h"

struct PyCodeObject {
    PyObject ob_base;
    int co_argcount;
    int co_posonlyargcount;
    int co_kwonlyargcount;
    int co_nlocals;
    int co_stacksize;
    int co_flags;
    int co_firstlineno;
    PyObject *co_code;
    PyObject *co_consts;
    PyObject *co_names;
    PyObject *co_varnames;
    PyObject *co_freevars;
    PyObject *co_cellvars;
    void *co_cell2arg;
    PyObject *co_filename;
    PyObject *co_name;
    /* A bytes object: the line table. */
    PyObject *co_lnotab;
    void *co_zombieframe;
    PyObject *co_weakreflist;
    void *co_extra;
    unsigned char *co_opcache_map;
    void *co_opcache;
    int co_opcache_flag;
    unsigned char co_opcache_size;
};

#endif
