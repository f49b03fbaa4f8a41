/*
 * tuple.
 * Facts: Include/cpython/tupleobject.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_TUPLEOBJECT_H
#define PYFLAME_CPYTHON_3_14_TUPLEOBJECT_H

#include "object.h"

typedef struct PyTupleObject {
    PyVarObject ob_base;
    Py_hash_t ob_hash;
    PyObject *ob_item[1];
} PyTupleObject;

#endif
