/*
 * module, up to its dictionary.
 * Facts: Objects/moduleobject.c, v3.6.15.
 */
#ifndef PYFLAME_CPYTHON_3_6_MODULEOBJECT_H
#define PYFLAME_CPYTHON_3_6_MODULEOBJECT_H

#include "object.h"

/* Up to the last field needed. */
typedef struct PyModuleObject {
    PyObject ob_base;
    PyObject *md_dict;
} PyModuleObject;

#endif
