/* Frames as Nuitka makes them (its CompiledFrameType.c and compiled_frame.h): each lies
 * inside a frame object of another type than CPython's, says that a generator owns it, and
 * is linked by machine code. What the evaluation loop would write into it is garbage here.
 *
 * A function that is "compiled" is a number; see the methods at the end. */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <pthread.h>
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_stackref.h>
#endif

#if PY_VERSION_HEX < 0x030D0000
#define TOP(thread) ((thread)->cframe->current_frame)
#else
#define TOP(thread) ((thread)->current_frame)
#endif

struct compiled {
    PyFrameObject head;
    void *generator;
    int state;
    Py_ssize_t size;
    char is_writable;
    void *description, *locals;
    _PyInterpreterFrame frame;
};

static struct compiled made[16];
static int number;

static PyTypeObject compiled_frame = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "compiled_frame",
    .tp_basicsize = sizeof(struct compiled),
};

/* make(file, function, line): its number. */
static PyObject *make(PyObject *self, PyObject *arguments)
{
    const char *file, *function;
    int line;
    if (!PyArg_ParseTuple(arguments, "ssi", &file, &function, &line))
        return NULL;
    PyCodeObject *code = PyCode_NewEmpty(file, function, line);
    if (!code || number == sizeof made / sizeof *made)
        return NULL;
    struct compiled *new = &made[number];
    memset(new, 0xff, sizeof *new); /* stacktop is -1, is_entry is set */
    Py_SET_REFCNT(&new->head, 1);
    Py_SET_TYPE(&new->head, &compiled_frame);
    new->head.f_back = NULL;
    new->head.f_frame = &new->frame;
    new->head.f_lineno = line;
    _PyInterpreterFrame *frame = &new->frame;
    _Py_CODEUNIT *beyond = (_Py_CODEUNIT *)code->co_code_adaptive + 1000;
#if PY_VERSION_HEX < 0x030D0000
    frame->f_code = code;
    frame->prev_instr = beyond;
#else
    frame->instr_ptr = beyond;
#if PY_VERSION_HEX < 0x030E0000
    frame->f_executable = (PyObject *)code;
#else
    frame->f_executable.bits = (uintptr_t)code | Py_TAG_REFCNT;
    frame->f_funcobj.bits = Py_TAG_REFCNT;
    frame->stackpointer = frame->localsplus;
#endif
#endif
    frame->f_globals = frame->f_builtins = frame->f_locals = NULL;
    frame->frame_obj = &new->head;
    frame->previous = NULL;
    frame->owner = FRAME_OWNED_BY_GENERATOR;
    return PyLong_FromLong(number++);
}

static PyObject *in_frame(int which, PyObject *function, PyObject *arguments, long rounds)
{
    PyThreadState *thread = PyThreadState_Get();
    _PyInterpreterFrame *frame = &made[which].frame;
    frame->previous = TOP(thread);
    TOP(thread) = frame;
    for (volatile long round = 0; round < rounds; round++)
        ;
    PyObject *result = function ? PyObject_CallObject(function, arguments) : Py_NewRef(Py_None);
    TOP(thread) = frame->previous;
    frame->previous = NULL;
    return result;
}

/* call(number, function, *arguments): calls a function, as `number`. */
static PyObject *call(PyObject *self, PyObject *arguments)
{
    PyObject *rest = PyTuple_GetSlice(arguments, 2, PyTuple_GET_SIZE(arguments));
    long which = PyLong_AsLong(PyTuple_GetItem(arguments, 0));
    PyObject *result = in_frame((int)which, PyTuple_GetItem(arguments, 1), rest, 0);
    Py_DECREF(rest);
    return result;
}

/* spin(number, rounds): goes round, as `number`. */
static PyObject *spin(PyObject *self, PyObject *arguments)
{
    int which;
    long rounds;
    if (!PyArg_ParseTuple(arguments, "il", &which, &rounds))
        return NULL;
    return in_frame(which, NULL, NULL, rounds);
}

/* spoil(number): its frame, which is on the stack, is called by nobody, and shows no more why
 * that may be. */
static PyObject *spoil(PyObject *self, PyObject *number)
{
    _PyInterpreterFrame *frame = &made[PyLong_AsLong(number)].frame;
    frame->previous = NULL;
    frame->frame_obj = NULL;
    Py_RETURN_NONE;
}

static void *begin_thread(void *arguments)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *rest = PyTuple_GetSlice(arguments, 1, PyTuple_GET_SIZE(arguments));
    PyObject *result = PyObject_CallObject(PyTuple_GetItem(arguments, 0), rest);
    if (!result)
        PyErr_Print();
    Py_XDECREF(result);
    Py_DECREF(rest);
    PyGILState_Release(state);
    return NULL;
}

/* outermost(function, *arguments): calls a function in a thread that C has made, so that
 * nothing of Python calls it, and waits. */
static PyObject *outermost(PyObject *self, PyObject *arguments)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, begin_thread, arguments))
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"make", make, METH_VARARGS, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"spin", spin, METH_VARARGS, NULL},
    {"spoil", spoil, METH_O, NULL},
    {"outermost", outermost, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "machine_code", .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_machine_code(void)
{
    return PyType_Ready(&compiled_frame) < 0 ? NULL : PyModule_Create(&module);
}
