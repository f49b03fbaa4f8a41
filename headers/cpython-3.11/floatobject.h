/*
 * float.
 * Facts: Include/cpython/floatobject.h, v3.11.7.
 */
#ifndef PYFLAME_CPYTHON_3_11_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_11_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
