/*
 * unicode.
 * Facts: Include/unicodeobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_UNICODEOBJECT_H
#define PYFLAME_CPYTHON_2_7_UNICODEOBJECT_H

#include "object.h"

typedef struct PyUnicodeObject {
    OBJECT_HEAD
    /* In code units. */
    Py_ssize_t length;
    /* Units of two or four bytes, as Python was configured. */
    void *str;
    long hash;
    PyObject *defenc;
} PyUnicodeObject;

#endif
