/*
 * A variable that functions share.
 * Facts: Include/cellobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_CELLOBJECT_H
#define PYFLAME_CPYTHON_2_7_CELLOBJECT_H

#include "object.h"

typedef struct PyCellObject {
    OBJECT_HEAD
    /* Null: the variable has no value. */
    PyObject *ob_ref;
} PyCellObject;

#endif
