/*
 * The interpreter frame and the frame object made of it on demand.
 * Facts: Include/internal/pycore_frame.h, v3.13.0.
 */
#ifndef PYFLAME_CPYTHON_3_13_PYCORE_FRAME_H
#define PYFLAME_CPYTHON_3_13_PYCORE_FRAME_H

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
    /* The code object; None in a shim frame, which is owned by the C stack. */
    PyObject *f_executable;
    _PyInterpreterFrame *previous;
    PyObject *f_funcobj;
    PyObject *f_globals;
    PyObject *f_builtins;
    PyObject *f_locals;
    PyFrameObject *frame_obj;
    /* The instruction that runs, or, in a caller, the call it waits for. */
    _Py_CODEUNIT *instr_ptr;
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
    PyObject *f_extra_locals;
    PyObject *f_locals_cache;
    PyObject *_f_frame_data[1];
};

#endif
