/*
 * float.
 * Facts: Include/floatobject.h, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_6_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
