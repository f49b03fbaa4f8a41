/*
 * The interpreter frame and the frame object made of it on demand.
 * Facts: Include/internal/pycore_frame.h, v3.11.7.
 */
#ifndef PYFLAME_CPYTHON_3_11_PYCORE_FRAME_H
#define PYFLAME_CPYTHON_3_11_PYCORE_FRAME_H

#include "object.h"
#include "code.h"

/* Values of owner. */
enum _frameowner {
    FRAME_OWNED_BY_THREAD = 0,
    FRAME_OWNED_BY_GENERATOR = 1,
    FRAME_OWNED_BY_FRAME_OBJECT = 2
};

struct _PyInterpreterFrame {
    void *f_func;
    PyObject *f_globals;
    PyObject *f_builtins;
    PyObject *f_locals;
    /* The code object; there are no frames of other kinds in 3.11. */
    PyCodeObject *f_code;
    PyFrameObject *frame_obj;
    _PyInterpreterFrame *previous;
    /* The last instruction begun; one word before the code at the start. */
    _Py_CODEUNIT *prev_instr;
    /* -1 while the frame runs. */
    int stacktop;
    /* The first frame of a call of the evaluation loop. */
    _Bool is_entry;
    char owner;
    /* Locals, cells and free variables start here, then the value stack. */
    PyObject *localsplus[1];
};

struct PyFrameObject {
    PyObject ob_base;
    PyFrameObject *f_back;
    _PyInterpreterFrame *f_frame;
    PyObject *f_trace;
    int f_lineno;
    char f_trace_lines;
    char f_trace_opcodes;
    char f_fast_as_locals;
    PyObject *_f_frame_data[1];
};

#endif
