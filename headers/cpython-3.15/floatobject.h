/*
 * float.
 * Facts: Include/cpython/floatobject.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_15_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
