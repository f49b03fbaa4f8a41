/*
 * The interpreter frame.
 * Facts: Include/internal/pycore_interpframe_structs.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_PYCORE_INTERPFRAME_STRUCTS_H
#define PYFLAME_CPYTHON_3_14_PYCORE_INTERPFRAME_STRUCTS_H

#include "object.h"
#include "code.h"
#include "pycore_stackref.h"

/* Values of owner. */
enum _frameowner {
    FRAME_OWNED_BY_THREAD = 0,
    FRAME_OWNED_BY_GENERATOR = 1,
    FRAME_OWNED_BY_FRAME_OBJECT = 2,
    FRAME_OWNED_BY_INTERPRETER = 3,
    FRAME_OWNED_BY_CSTACK = 4
};

struct _PyInterpreterFrame {
    /* The code object, tagged; None in a shim frame. */
    _PyStackRef f_executable;
    _PyInterpreterFrame *previous;
    _PyStackRef f_funcobj;
    PyObject *f_globals;
    PyObject *f_builtins;
    PyObject *f_locals;
    PyFrameObject *frame_obj;
    /* The instruction that runs, or, in a caller, the call it waits for. */
    _Py_CODEUNIT *instr_ptr;
    _PyStackRef *stackpointer;
#ifdef Py_GIL_DISABLED
    /* Which copy of the instructions instr_ptr points into. */
    int32_t tlbc_index;
#endif
    uint16_t return_offset;
    char owner;
    /* visited; with Py_DEBUG it shares its byte with a second bit-field. */
    uint8_t unread_visited;
    /* Locals, cells and free variables start here, then the value stack. */
    _PyStackRef localsplus[1];
};

#endif
