/*
 * The head of every object, and the type object up to its flags.
 * Facts: Include/object.h and Include/cpython/object.h, v3.15.2.
 */
#ifndef PYFLAME_CPYTHON_3_15_OBJECT_H
#define PYFLAME_CPYTHON_3_15_OBJECT_H

/* LP64: what the C library would define; none of its headers is included. */
typedef unsigned long size_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long uintptr_t;
typedef long Py_ssize_t;
typedef long Py_hash_t;

typedef struct PyTypeObject PyTypeObject;
typedef struct PyCodeObject PyCodeObject;
typedef struct PyFrameObject PyFrameObject;
typedef struct PyThreadState PyThreadState;
typedef struct PyInterpreterState PyInterpreterState;
typedef struct _PyInterpreterFrame _PyInterpreterFrame;

typedef struct PyObject {
    /* The low half counts, the high half holds flags; negative low half: immortal. */
    int64_t ob_refcnt_full;
    PyTypeObject *ob_type;
} PyObject;

typedef struct PyVarObject {
    PyObject ob_base;
    Py_ssize_t ob_size;
} PyVarObject;

struct PyTypeObject {
    PyVarObject ob_base;
    char *tp_name;
    Py_ssize_t tp_basicsize;
    Py_ssize_t tp_itemsize;
    void *tp_dealloc;
    Py_ssize_t tp_vectorcall_offset;
    void *tp_getattr;
    void *tp_setattr;
    void *tp_as_async;
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
    unsigned long tp_flags;
};

#endif
