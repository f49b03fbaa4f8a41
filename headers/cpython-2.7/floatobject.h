/*
 * float.
 * Facts: Include/floatobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_FLOATOBJECT_H
#define PYFLAME_CPYTHON_2_7_FLOATOBJECT_H

#include "object.h"

typedef struct PyFloatObject {
    OBJECT_HEAD
    double ob_fval;
} PyFloatObject;

#endif
