/*
 * float.
 * Facts: Include/floatobject.h, v3.8.18.
 */
#ifndef PYFLAME_CPYTHON_3_8_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_8_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
