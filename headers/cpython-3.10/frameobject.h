/*
 * The frame object.
 * Facts: Include/cpython/frameobject.h, v3.10.13.
 */
#ifndef PYFLAME_CPYTHON_3_10_FRAMEOBJECT_H
#define PYFLAME_CPYTHON_3_10_FRAMEOBJECT_H

#include "object.h"
#include "code.h"

/* Values of f_state. */
enum _framestate {
    FRAME_CREATED = -2,
    FRAME_SUSPENDED = -1,
    FRAME_EXECUTING = 0,
    FRAME_RETURNED = 1,
    FRAME_UNWINDING = 2,
    FRAME_RAISED = 3,
    FRAME_CLEARED = 4
};

typedef struct PyTryBlock {
    int b_type;
    int b_handler;
    int b_level;
} PyTryBlock;

struct PyFrameObject {
    PyVarObject ob_base;
    PyFrameObject *f_back;
    PyCodeObject *f_code;
    PyObject *f_builtins;
    PyObject *f_globals;
    PyObject *f_locals;
    PyObject **f_valuestack;
    PyObject *f_trace;
    /* Depth of the value stack; -1 while the frame runs. */
    int f_stackdepth;
    char f_trace_lines;
    char f_trace_opcodes;
    PyObject *f_gen;
    /* Number of the last instruction word, -1 before the first: half the offset in bytes. */
    int f_lasti;
    /* Only valid when not zero. */
    int f_lineno;
    int f_iblock;
    signed char f_state;
    PyTryBlock f_blockstack[20];
    /* Locals, cells and free variables start here, then the value stack. */
    PyObject *f_localsplus[1];
};

#endif
