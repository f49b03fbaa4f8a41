/*
 * int.
 * Facts: Include/intobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_INTOBJECT_H
#define PYFLAME_CPYTHON_2_7_INTOBJECT_H

#include "object.h"

typedef struct PyIntObject {
    Py_ssize_t ob_refcnt;
    PyTypeObject *ob_type;
    long ob_ival;
} PyIntObject;

#endif
