/*
 * What the interpreter says of its own layout.
 * Facts: Include/internal/pycore_debug_offsets.h, v3.14.10.
 */
#ifndef PYFLAME_CPYTHON_3_14_PYCORE_DEBUG_OFFSETS_H
#define PYFLAME_CPYTHON_3_14_PYCORE_DEBUG_OFFSETS_H

#include "object.h"

typedef struct _runtime_state {
    uint64_t size;
    uint64_t finalizing;
    uint64_t interpreters_head;
} _runtime_state;

typedef struct _interpreter_state {
    uint64_t size;
    uint64_t id;
    uint64_t next;
    uint64_t threads_head;
    uint64_t threads_main;
    uint64_t gc;
    uint64_t imports_modules;
    uint64_t sysdict;
    uint64_t builtins;
    uint64_t ceval_gil;
    uint64_t gil_runtime_state;
    uint64_t gil_runtime_state_enabled;
    uint64_t gil_runtime_state_locked;
    uint64_t gil_runtime_state_holder;
    uint64_t code_object_generation;
    uint64_t tlbc_generation;
} _interpreter_state;

typedef struct _thread_state {
    uint64_t size;
    uint64_t prev;
    uint64_t next;
    uint64_t interp;
    uint64_t current_frame;
    uint64_t thread_id;
    uint64_t native_thread_id;
    uint64_t datastack_chunk;
    uint64_t status;
} _thread_state;

typedef struct _interpreter_frame {
    uint64_t size;
    uint64_t previous;
    uint64_t executable;
    uint64_t instr_ptr;
    uint64_t localsplus;
    uint64_t owner;
    uint64_t stackpointer;
    uint64_t tlbc_index;
} _interpreter_frame;

typedef struct _code_object {
    uint64_t size;
    uint64_t filename;
    uint64_t name;
    uint64_t qualname;
    uint64_t linetable;
    uint64_t firstlineno;
    uint64_t argcount;
    uint64_t localsplusnames;
    uint64_t localspluskinds;
    uint64_t co_code_adaptive;
    uint64_t co_tlbc;
} _code_object;

typedef struct _pyobject {
    uint64_t size;
    uint64_t ob_type;
} _pyobject;

typedef struct _type_object {
    uint64_t size;
    uint64_t tp_name;
    uint64_t tp_repr;
    uint64_t tp_flags;
} _type_object;

typedef struct _tuple_object {
    uint64_t size;
    uint64_t ob_item;
    uint64_t ob_size;
} _tuple_object;

typedef struct _list_object {
    uint64_t size;
    uint64_t ob_item;
    uint64_t ob_size;
} _list_object;

typedef struct _set_object {
    uint64_t size;
    uint64_t used;
    uint64_t table;
    uint64_t mask;
} _set_object;

typedef struct _dict_object {
    uint64_t size;
    uint64_t ma_keys;
    uint64_t ma_values;
} _dict_object;

typedef struct _float_object {
    uint64_t size;
    uint64_t ob_fval;
} _float_object;

typedef struct _long_object {
    uint64_t size;
    uint64_t lv_tag;
    uint64_t ob_digit;
} _long_object;

typedef struct _bytes_object {
    uint64_t size;
    uint64_t ob_size;
    uint64_t ob_sval;
} _bytes_object;

typedef struct _unicode_object {
    uint64_t size;
    uint64_t state;
    uint64_t length;
    uint64_t asciiobject_size;
} _unicode_object;

typedef struct _gc {
    uint64_t size;
    uint64_t collecting;
} _gc;

typedef struct _gen_object {
    uint64_t size;
    uint64_t gi_name;
    uint64_t gi_iframe;
    uint64_t gi_frame_state;
} _gen_object;

typedef struct _llist_node {
    uint64_t next;
    uint64_t prev;
} _llist_node;

typedef struct _debugger_support {
    uint64_t eval_breaker;
    uint64_t remote_debugger_support;
    uint64_t remote_debugging_enabled;
    uint64_t debugger_pending_call;
    uint64_t debugger_script_path;
    uint64_t debugger_script_path_size;
} _debugger_support;

typedef struct _Py_DebugOffsets {
    /* "xdebugpy" */
    char cookie[8];
    /* PY_VERSION_HEX of the interpreter. */
    uint64_t version;
    /* 1 in a free-threaded build, 0 otherwise. */
    uint64_t free_threaded;
    _runtime_state runtime_state;
    _interpreter_state interpreter_state;
    _thread_state thread_state;
    _interpreter_frame interpreter_frame;
    _code_object code_object;
    _pyobject pyobject;
    _type_object type_object;
    _tuple_object tuple_object;
    _list_object list_object;
    _set_object set_object;
    _dict_object dict_object;
    _float_object float_object;
    _long_object long_object;
    _bytes_object bytes_object;
    _unicode_object unicode_object;
    _gc gc;
    _gen_object gen_object;
    _llist_node llist_node;
    _debugger_support debugger_support;
} _Py_DebugOffsets;

#endif
