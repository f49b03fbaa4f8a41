/*
 * float.
 * Facts: Include/cpython/floatobject.h, v3.10.13.
 */
#ifndef PYFLAME_CPYTHON_3_10_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_10_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
