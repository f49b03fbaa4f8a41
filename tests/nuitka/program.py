"""What tests/nuitka/run compiles. Says where it is, and goes on when it is told to."""

import sys


def wait():
    print("waits", flush=True)
    sys.stdin.readline()


def spin(rounds):
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


def numbers():
    while True:
        yield spin(1000)


def main():
    wait()
    print("spins", flush=True)
    for number in numbers():
        if number < 0:
            break


if __name__ == "__main__":
    main()
