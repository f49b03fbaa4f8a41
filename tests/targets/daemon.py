"""Starts a daemon, by two forks, and ends when a line comes or its input is closed. The
daemon works until a file is there, and so does the program until then.

    python daemon.py FILE
"""

import os
import select
import sys


def toil(path):
    while not os.path.exists(path):
        sum(range(500))


def work():
    sum(range(500))


def daemon(path):
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    with open(path + ".pid", "w") as out:
        out.write("%d\n" % os.getpid())
    os.rename(path + ".pid", path + ".started")
    for number in (0, 1, 2):
        os.close(number)
    toil(path)
    os._exit(0)


def main():
    if os.fork() == 0:
        daemon(sys.argv[1])
    os.wait()
    while not select.select([0], [], [], 0)[0]:
        work()


main()
