/*
 * set and frozenset: an open hash table.
 * Facts: Include/setobject.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_SETOBJECT_H
#define PYFLAME_CPYTHON_2_7_SETOBJECT_H

#include "object.h"

typedef struct setentry {
    long hash;
    PyObject *key;
} setentry;

/* Up to the last field needed. */
typedef struct PySetObject {
    OBJECT_HEAD
    Py_ssize_t fill;
    Py_ssize_t used;
    /* One less than the number of entries. */
    Py_ssize_t mask;
    setentry *table;
} PySetObject;

#endif
