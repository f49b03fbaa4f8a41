/*
 * list.
 * Facts: Include/listobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_LISTOBJECT_H
#define PYFLAME_CPYTHON_2_7_LISTOBJECT_H

#include "object.h"

typedef struct PyListObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    PyObject **ob_item;
    Py_ssize_t allocated;
} PyListObject;

#endif
