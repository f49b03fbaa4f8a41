/*
 * tuple.
 * Facts: Include/tupleobject.h, v3.8.18.
 */
#ifndef PYFLAME_CPYTHON_3_8_TUPLEOBJECT_H
#define PYFLAME_CPYTHON_3_8_TUPLEOBJECT_H

#include "object.h"

typedef struct PyTupleObject {
    PyVarObject ob_base;
    PyObject *ob_item[1];
} PyTupleObject;

#endif
