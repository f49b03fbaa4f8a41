"""A program whose children keep busy.

    family.py START NUMBER

START is how they are started: fork, spawn or forkserver. When all are busy, a line
`children PID...` says so. All end when standard input closes.
"""

import multiprocessing
import os
import sys


def busy():
    total = 0
    for i in range(1000):
        total += i * i % 7
    return total


def work(connection):
    parent = os.getppid()
    connection.send(os.getpid())
    # Not for ever, if the parent is killed.
    while os.getppid() == parent:
        busy()


def main():
    start, number = sys.argv[1], int(sys.argv[2])
    context = multiprocessing
    if hasattr(multiprocessing, "get_context"):
        context = multiprocessing.get_context(start)
    children, pids = [], []
    for _ in range(number):
        ours, theirs = context.Pipe(False)
        child = context.Process(target=work, args=(theirs,))
        child.daemon = True
        child.start()
        children.append(child)
        pids.append(ours.recv())
    os.write(1, ("children %s\n" % " ".join(map(str, pids))).encode())
    sys.stdin.read()
    for child in children:
        child.terminate()
        child.join()
    # What multiprocessing has started for itself ends when its pipe is closed: before this
    # program, and not some time after it.
    os.closerange(3, 256)
    try:
        while os.wait():
            pass
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
