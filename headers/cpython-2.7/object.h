/*
 * The head of every object, and the type object up to the place of instances' dictionaries.
 * Facts: Include/object.h, v2.7.18.
 */
#ifndef PYFLAME_CPYTHON_2_7_OBJECT_H
#define PYFLAME_CPYTHON_2_7_OBJECT_H

/* LP64: what the C library would define; none of its headers is included. */
typedef unsigned long size_t;
typedef long Py_ssize_t;

typedef struct PyTypeObject PyTypeObject;
typedef struct PyCodeObject PyCodeObject;
typedef struct PyFrameObject PyFrameObject;
typedef struct PyThreadState PyThreadState;
typedef struct PyInterpreterState PyInterpreterState;

/* Py_TRACE_REFS: all objects are in one list. */
#ifdef Py_TRACE_REFS
#define OBJECT_HEAD \
    struct PyObject *_ob_next; \
    struct PyObject *_ob_prev; \
    Py_ssize_t ob_refcnt; \
    PyTypeObject *ob_type;
#else
#define OBJECT_HEAD \
    Py_ssize_t ob_refcnt; \
    PyTypeObject *ob_type;
#endif

typedef struct PyObject {
    OBJECT_HEAD
} PyObject;

/* No ob_base in 2: the head of every object is spelled out in its struct. */
typedef struct PyVarObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
} PyVarObject;

struct PyTypeObject {
    OBJECT_HEAD
    Py_ssize_t ob_size;
    char *tp_name;
    Py_ssize_t tp_basicsize;
    Py_ssize_t tp_itemsize;
    void *tp_dealloc;
    void *tp_print;
    void *tp_getattr;
    void *tp_setattr;
    void *tp_compare;
    void *tp_repr;
    void *tp_as_number;
    void *tp_as_sequence;
    void *tp_as_mapping;
    void *tp_hash;
    void *tp_call;
    void *tp_str;
    void *tp_getattro;
    void *tp_setattro;
    void *tp_as_buffer;
    long tp_flags;
    char *tp_doc;
    void *tp_traverse;
    void *tp_clear;
    void *tp_richcompare;
    Py_ssize_t tp_weaklistoffset;
    void *tp_iter;
    void *tp_iternext;
    void *tp_methods;
    void *tp_members;
    void *tp_getset;
    PyTypeObject *tp_base;
    PyObject *tp_dict;
    void *tp_descr_get;
    void *tp_descr_set;
    /* Where the dictionary of an instance is; 0: it has none. */
    Py_ssize_t tp_dictoffset;
};

#endif
