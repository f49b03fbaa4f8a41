"""Short calls at the end of a long chain of callers: a profiler that does not stop the
program sees it in another leaf at every look. What `# calls` means is said in busy.py.

    python leaves.py
"""

import os
import select


def alpha(n):
    while n:
        n -= 1


def beta(n):
    while n:
        n -= 1


def gamma(n):
    while n:
        n -= 1


def delta(n):
    while n:
        n -= 1


def work():
    n = 0
    while n < 5000:
        n += 1
        alpha(30)  # calls alpha
        beta(30)  # calls beta
        gamma(30)  # calls gamma
        delta(30)  # calls delta


def step12():
    work()  # calls work


def step11():
    step12()  # calls step12


def step10():
    step11()  # calls step11


def step9():
    step10()  # calls step10


def step8():
    step9()  # calls step9


def step7():
    step8()  # calls step8


def step6():
    step7()  # calls step7


def step5():
    step6()  # calls step6


def step4():
    step5()  # calls step5


def step3():
    step4()  # calls step4


def step2():
    step3()  # calls step3


def step1():
    step2()  # calls step2


def main():
    os.write(1, b"ready\n")
    while not select.select([0], [], [], 0)[0]:
        step1()  # calls step1


main()  # calls main
