/*
 * tuple.
 * Facts: Include/cpython/tupleobject.h, v3.10.13.
 */
#ifndef PYFLAME_CPYTHON_3_10_TUPLEOBJECT_H
#define PYFLAME_CPYTHON_3_10_TUPLEOBJECT_H

#include "object.h"

typedef struct PyTupleObject {
    PyVarObject ob_base;
    PyObject *ob_item[1];
} PyTupleObject;

#endif
