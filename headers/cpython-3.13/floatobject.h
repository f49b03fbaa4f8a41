/*
 * float.
 * Facts: Include/cpython/floatobject.h, v3.13.0.
 */
#ifndef PYFLAME_CPYTHON_3_13_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_13_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
