/*
 * The interpreter frame and the frame object made of it on demand.
 * Facts: Include/internal/pycore_frame.h, v3.12.1.
 */
#ifndef PYFLAME_CPYTHON_3_12_PYCORE_FRAME_H
#define PYFLAME_CPYTHON_3_12_PYCORE_FRAME_H

#include "object.h"
#include "code.h"

/* Values of owner. */
enum _frameowner {
    FRAME_OWNED_BY_THREAD = 0,
    FRAME_OWNED_BY_GENERATOR = 1,
    FRAME_OWNED_BY_FRAME_OBJECT = 2,
    FRAME_OWNED_BY_CSTACK = 3
};

struct _PyInterpreterFrame {
    /* The code object; the trampoline's in a shim frame, which is owned by the C stack. */
    PyCodeObject *f_code;
    _PyInterpreterFrame *previous;
    PyObject *f_funcobj;
    PyObject *f_globals;
    PyObject *f_builtins;
    PyObject *f_locals;
    PyFrameObject *frame_obj;
    /* The last instruction begun; one word before the code at the start. */
    _Py_CODEUNIT *prev_instr;
    /* -1 while the frame runs. */
    int stacktop;
    uint16_t return_offset;
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
