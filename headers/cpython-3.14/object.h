/*
 * The head of every object, and the type object.
 * Facts: Include/object.h and Include/cpython/object.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_OBJECT_H
#define PYFLAME_CPYTHON_3_14_OBJECT_H

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

#ifdef Py_GIL_DISABLED
/* A lock. */
typedef struct PyMutex {
    uint8_t _bits;
} PyMutex;

/* Free-threaded: the thread that owns an object counts its references apart from all others. */
typedef struct PyObject {
    uintptr_t ob_tid;
    uint16_t ob_flags;
    PyMutex ob_mutex;
    uint8_t ob_gc_bits;
    uint32_t ob_ref_local;
    Py_ssize_t ob_ref_shared;
    PyTypeObject *ob_type;
} PyObject;
#else
typedef struct PyObject {
    /* The low half counts, the high half holds flags; negative low half: immortal. */
    int64_t ob_refcnt_full;
    PyTypeObject *ob_type;
} PyObject;
#endif

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
    void *tp_init;
    void *tp_alloc;
    void *tp_new;
    void *tp_free;
    void *tp_is_gc;
    PyObject *tp_bases;
    PyObject *tp_mro;
    PyObject *tp_cache;
    void *tp_subclasses;
    PyObject *tp_weaklist;
    void *tp_del;
    unsigned int tp_version_tag;
    void *tp_finalize;
    void *tp_vectorcall;
    unsigned char tp_watched;
    uint16_t tp_versions_used;
};

/* A type made by a class statement, up to the last field needed. */
typedef struct PyHeapTypeObject {
    PyTypeObject ht_type;
    void *unread_as_async[4];
    void *unread_as_number[36];
    void *unread_as_mapping[3];
    void *unread_as_sequence[10];
    void *unread_as_buffer[2];
    PyObject *ht_name;
    PyObject *ht_slots;
    PyObject *ht_qualname;
    /* The names of the attributes that its instances keep without a dictionary. */
    void *ht_cached_keys;
} PyHeapTypeObject;

/* Bits of tp_flags. */
enum {
    Py_TPFLAGS_INLINE_VALUES = 1 << 2,
    Py_TPFLAGS_MANAGED_DICT = 1 << 4
};

#endif
