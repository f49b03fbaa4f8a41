/*
 * float.
 * Facts: Include/floatobject.h, v3.4.10.
 */
#ifndef PYFLAME_CPYTHON_3_4_FLOATOBJECT_H
#define PYFLAME_CPYTHON_3_4_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    PyObject ob_base;
    double ob_fval;
} PyFloatObject;

#endif
