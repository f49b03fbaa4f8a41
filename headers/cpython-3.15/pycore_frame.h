/*
 * The frame object, made of an interpreter frame on demand.
 * Facts: Include/internal/pycore_frame.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_PYCORE_FRAME_H
#define PYFLAME_CPYTHON_3_15_PYCORE_FRAME_H

#include "object.h"
#include "pycore_interpframe_structs.h"

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
    PyObject *f_overwritten_fast_locals;
    PyObject *_f_frame_data[1];
};

#endif
