/*
 * str.
 * Facts: Include/cpython/unicodeobject.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_UNICODEOBJECT_H
#define PYFLAME_CPYTHON_3_15_UNICODEOBJECT_H

#include "object.h"

/* Bytes per character. */
enum PyUnicode_Kind {
    PyUnicode_1BYTE_KIND = 1,
    PyUnicode_2BYTE_KIND = 2,
    PyUnicode_4BYTE_KIND = 4
};

/* The bits that tell how a string is stored. */
typedef struct _PyUnicodeObject_state {
#ifdef Py_GIL_DISABLED
    unsigned char interned;
#else
    unsigned int interned : 2;
#endif
    unsigned int kind : 3;
    unsigned int compact : 1;
    unsigned int ascii : 1;
    unsigned int statically_allocated : 1;
} _PyUnicodeObject_state;

/* Compact and ascii: the characters follow this struct. */
typedef struct PyASCIIObject {
    PyObject ob_base;
    /* In code points. */
    Py_ssize_t length;
    Py_hash_t hash;
    _PyUnicodeObject_state state;
} PyASCIIObject;

/* Compact but not ascii: the characters follow this struct. */
typedef struct PyCompactUnicodeObject {
    PyASCIIObject _base;
    Py_ssize_t utf8_length;
    char *utf8;
} PyCompactUnicodeObject;

/* Not compact: the characters are elsewhere. */
typedef struct PyUnicodeObject {
    PyCompactUnicodeObject _base;
    /* A union of pointers to the characters, one per width. */
    void *data;
} PyUnicodeObject;

#endif
