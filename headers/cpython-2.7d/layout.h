/*
 * All layouts of a CPython 2.7 that traces references, as a debug build does.
 * Facts: as in the headers of 2.7, where CPython asks for Py_TRACE_REFS too.
 */
#define Py_TRACE_REFS 1
#include "../cpython-2.7/layout.h"
