/*
 * list.
 * Facts: Include/listobject.h, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_LISTOBJECT_H
#define PYFLAME_CPYTHON_3_6_LISTOBJECT_H

#include "object.h"

typedef struct PyListObject {
    PyVarObject ob_base;
    PyObject **ob_item;
    Py_ssize_t allocated;
} PyListObject;

#endif
