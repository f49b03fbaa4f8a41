/*
 * list.
 * Facts: Include/listobject.h, v3.4.10.
 */
#ifndef PYFLAME_CPYTHON_3_4_LISTOBJECT_H
#define PYFLAME_CPYTHON_3_4_LISTOBJECT_H

#include "object.h"

typedef struct PyListObject {
    PyVarObject ob_base;
    PyObject **ob_item;
    Py_ssize_t allocated;
} PyListObject;

#endif
