"""Many threads, blocked in different places."""

import os
import select
import sys
import threading

from truth import checkpoint, scenario

try:
    import queue
except ImportError:
    import Queue as queue


def in_lock(ready, gate):
    ready.release(); gate.acquire()


def in_condition(ready, condition):
    with condition:
        ready.release(); condition.wait()


def in_queue(ready, things):
    ready.release(); things.get()


def in_event(ready, event):
    ready.release(); event.wait()


def in_read(ready, fd):
    ready.release(); os.read(fd, 1)


def in_select(ready, fd):
    ready.release(); select.select([fd], [], [])


def in_join(ready, other):
    ready.release(); other.join()


def in_generator(ready, gate):
    def numbers(n):
        if n:
            for x in numbers(n - 1):
                yield x
        else:
            yield ready.release(), gate.acquire()

    list(numbers(3))


def deep(ready, gate, depth=100):
    if depth:
        return deep(ready, gate, depth - 1)
    ready.release(); gate.acquire()


@scenario("threads", warm=False)
def threads():
    ready = threading.Semaphore(0)
    gates = [threading.Lock() for _ in range(3)]
    for gate in gates:
        gate.acquire()
    pipes = [os.pipe() for _ in range(2)]
    condition, event, things = threading.Condition(), threading.Event(), queue.Queue()
    places = [
        (in_lock, gates[0]),
        (in_generator, gates[1]),
        (deep, gates[2]),
        (in_condition, condition),
        (in_event, event),
        (in_queue, things),
        (in_read, pipes[0][0]),
        (in_select, pipes[1][0]),
    ]
    started = [threading.Thread(target=f, args=(ready, what)) for f, what in places]
    started.append(threading.Thread(target=in_join, args=(ready, started[0])))
    for thread in started:
        thread.start()
    for _ in started:
        ready.acquire()
    checkpoint()
    for gate in gates:
        gate.release()
    with condition:
        condition.notify()
    event.set()
    things.put(1)
    for _, write_end in pipes:
        os.write(write_end, b"x")
    for thread in started:
        thread.join()
    for ends in pipes:
        for end in ends:
            os.close(end)
    checkpoint()


@scenario("checkpoint-in-a-thread", warm=False)
def checkpoint_in_a_thread():
    def body(n):
        return body(n - 1) if n else checkpoint()

    thread = threading.Thread(target=body, args=(5,))
    thread.start()
    thread.join()


@scenario("many-threads", warm=False)
def many_threads():
    ready, gate = threading.Semaphore(0), threading.Semaphore(0)
    started = [threading.Thread(target=deep, args=(ready, gate, n)) for n in range(60)]
    for thread in started:
        thread.start()
    for _ in started:
        ready.acquire()
    checkpoint()
    for _ in started:
        gate.release()
    for thread in started:
        thread.join()


@scenario("fork-in-a-thread", warm=False)
def fork_in_a_thread():
    """The child has one thread, which is not the one the process began with."""
    ready, gate = threading.Semaphore(0), threading.Semaphore(0)
    other = threading.Thread(target=in_lock, args=(ready, gate))
    other.start()
    ready.acquire()

    def body():
        pid = os.fork()
        if pid == 0:
            checkpoint()
            os._exit(0)
        os.waitpid(pid, 0)

    forking = threading.Thread(target=body)
    forking.start()
    forking.join()
    gate.release()
    other.join()
