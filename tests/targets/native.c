/*
 * What the targets need from C: callbacks, a thread that Python did not make, a
 * wait that keeps the GIL, a subinterpreter, and a storm of signals. The Python functions are
 * declared here with plain pointers, so that no Python headers are needed; they
 * are found in the process that loads this library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

extern void *PyThreadState_Get(void);
extern void *PyThreadState_Swap(void *);
extern void *Py_NewInterpreter(void);
extern void Py_EndInterpreter(void *);
extern int PyRun_SimpleStringFlags(const char *, void *);

int call_back(int (*function)(void), int depth)
{
    return depth > 1 ? call_back(function, depth - 1) : function();
}

int sort_two(int (*compare)(const void *, const void *))
{
    int two[2] = {2, 1};

    qsort(two, 2, sizeof *two, compare);
    return two[0];
}

static void *body(void *function)
{
    ((int (*)(void))function)();
    return NULL;
}

/* Calls from a thread that knows nothing of Python; ctypes sees to the rest. */
int in_new_thread(int (*function)(void))
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, (void *)function);

    return error ? error : pthread_join(thread, NULL);
}

/* Writes to standard output, then waits: the byte read from standard input. */
int tell_and_wait(const char *text)
{
    size_t length = strlen(text);
    unsigned char byte;

    if (write(1, text, length) != (ssize_t)length)
        return -1;
    return read(0, &byte, 1) == 1 ? byte : -1;
}

/*
 * Waits until there is something to read, without a second try: an epoll_wait
 * that a stop breaks off does not begin again. 1, or the negative error number.
 */
int wait_in_epoll(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int poll = epoll_create1(0);
    int result;

    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    result = epoll_wait(poll, &event, 1, -1);
    result = result < 0 ? -errno : result;
    close(poll);
    return result;
}

/* The state of the thread that is in a subinterpreter, in the one that it came from. */
static void *first_state;

/* Called with the GIL. */
int in_subinterpreter(const char *code)
{
    void *before = first_state = PyThreadState_Get();
    void *made = Py_NewInterpreter();
    int failed;

    if (made == NULL)
        return -1;
    failed = PyRun_SimpleStringFlags(code, NULL);
    Py_EndInterpreter(made);
    PyThreadState_Swap(before);
    return failed;
}

/* Called with the GIL, from code that in_subinterpreter runs. */
int in_first_interpreter(const char *code)
{
    void *inner = PyThreadState_Swap(first_state);
    int failed = PyRun_SimpleStringFlags(code, NULL);

    PyThreadState_Swap(inner);
    return failed;
}

/* A storm: a thread that queues real-time signals to the one that began it. */
static pthread_t storm_sender, storm_target;
static int storm_hertz;
static volatile sig_atomic_t storm_over;
static int storm_sent_count, storm_came_count;

static void storm_handler(int number)
{
    (void)number;
    __atomic_add_fetch(&storm_came_count, 1, __ATOMIC_RELAXED);
}

static void *storm_body(void *unused)
{
    struct timespec pause = {.tv_nsec = 1000000000 / storm_hertz};
    union sigval nothing = {.sival_int = 0};

    (void)unused;
    while (!storm_over) {
        /* What the kernel has no room for was not sent. */
        if (pthread_sigqueue(storm_target, SIGRTMIN + 3, nothing) == 0)
            storm_sent_count++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* 0, or the number of an error. */
int storm_begin(int hertz)
{
    struct sigaction action = {.sa_handler = storm_handler, .sa_flags = SA_RESTART};
    sigset_t all, before;
    int error;

    storm_hertz = hertz;
    storm_target = pthread_self();
    if (sigaction(SIGRTMIN + 3, &action, NULL) != 0)
        return errno;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&storm_sender, NULL, storm_body, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Ends it. What is queued for this thread has come when this returns. */
void storm_end(void)
{
    storm_over = 1;
    pthread_join(storm_sender, NULL);
}

int storm_sent(void)
{
    return storm_sent_count;
}

int storm_came(void)
{
    return __atomic_load_n(&storm_came_count, __ATOMIC_RELAXED);
}
