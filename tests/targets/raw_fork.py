"""A program that forks in C, without telling Python, as uWSGI does.

The parent has a second thread, of which the child has nothing but the record. The child
starts a thread of its own, which waits in `second`; its first thread waits in `first`,
or keeps busy in it if that is an argument. It writes `child PID`. All end when standard
input closes.
"""

import ctypes
import os
import select
import sys
import threading
import time


def busy():
    total = 0
    for i in range(1000):
        total += i * i % 7
    return total


def wait(descriptor):
    os.read(descriptor, 1)


def helper():
    wait(closed)


def second():
    os.write(tell, b"x")
    wait(closed)


def first():
    os.write(1, ("child %d\n" % os.getpid()).encode())
    while "busy" in sys.argv and not select.select([closed], [], [], 0)[0]:
        busy()
    wait(closed)


def start(function):
    thread = threading.Thread(target=function, name=function.__name__)
    thread.daemon = True
    thread.start()


def is_anybody_waiting():
    """Whether a thread is in a system call about `closed`."""
    for task in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/syscall" % task) as call:
            if call.read().split()[1:2] == ["0x%x" % closed]:
                return True
    return False


closed, held = os.pipe()
ready, tell = os.pipe()
start(helper)
# Before that it may have a lock, of `threading` or of the GIL, which nobody gives back in the
# child.
while not is_anybody_waiting():
    time.sleep(0.001)
# With the GIL held, as C code that is called by Python holds it.
child = ctypes.PyDLL(None).fork()
if child == 0:
    os.close(held)
    start(second)
    os.read(ready, 1)
    first()
    os._exit(0)
sys.stdin.read()
os.close(held)
os.waitpid(child, 0)
