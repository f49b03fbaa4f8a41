/*
 * tuple.
 * Facts: Include/tupleobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_TUPLEOBJECT_H
#define PYFLAME_CPYTHON_2_7_TUPLEOBJECT_H

#include "object.h"

typedef struct PyTupleObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    PyObject *ob_item[1];
} PyTupleObject;

#endif
