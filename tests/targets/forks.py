"""Forks children until its standard input closes; each works a little and ends with
a status of its own. At the end it tells how many there were, and how many did not
end so.

    python forks.py
"""

import os
import select
import sys


def work(n):
    return sum(i * i for i in range(n))


os.write(1, b"ready\n")
children = wrong = 0
while not select.select([0], [], [], 0)[0]:
    pid = os.fork()
    if pid == 0:
        work(2000)
        os._exit(7)
    work(2000)
    children += 1
    wrong += os.waitpid(pid, 0)[1] != 7 << 8
sys.stdout.write("children %d %d\n" % (children, wrong))
