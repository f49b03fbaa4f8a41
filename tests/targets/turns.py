"""Three threads that compute by turns, each in a function of its own: the main thread in
`first`, one called "second" in `second` and one called "third, last" in `third`. Goes on until
its standard input closes. Tells the identity of the third.
"""

import select
import sys
import threading

is_over = False
ready = threading.Semaphore(0)


def first():
    while not select.select([0], [], [], 0)[0]:
        spin()


def second():
    ready.release()
    while not is_over:
        spin()


def third():
    ready.release()
    while not is_over:
        spin()


def spin():
    for _ in range(500):
        pass


threads = [
    threading.Thread(target=second, name="second"),
    threading.Thread(target=third, name="third, last"),
]
for thread in threads:
    thread.start()
    ready.acquire()
sys.stdout.write("ready %d\n" % threads[1].ident)
sys.stdout.flush()
first()
is_over = True
for thread in threads:
    thread.join()
