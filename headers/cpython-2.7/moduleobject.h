/*
 * module, up to its dictionary.
 * Facts: Objects/moduleobject.c, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_MODULEOBJECT_H
#define PYFLAME_CPYTHON_2_7_MODULEOBJECT_H

#include "object.h"

/* Up to the last field needed. */
typedef struct PyModuleObject {
    OBJECT_HEAD
    PyObject *md_dict;
} PyModuleObject;

#endif
