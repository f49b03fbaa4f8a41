/*
 * set and frozenset: an open hash table.
 * Facts: Include/setobject.h, v3.5.10.
 */
#ifndef PYFLAME_CPYTHON_3_5_SETOBJECT_H
#define PYFLAME_CPYTHON_3_5_SETOBJECT_H

#include "object.h"

typedef struct setentry {
    PyObject *key;
    /* -1 in an entry whose element was removed. */
    Py_hash_t hash;
} setentry;

/* Up to the last field needed. */
typedef struct PySetObject {
    PyObject ob_base;
    Py_ssize_t fill;
    Py_ssize_t used;
    /* One less than the number of entries. */
    Py_ssize_t mask;
    setentry *table;
} PySetObject;

#endif
