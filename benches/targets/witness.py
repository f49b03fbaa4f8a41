"""Runs a target under a hook and tells which calls happen in it.

    python witness.py hostile TURNS
    python witness.py steady DEPTH
    python witness.py shares

For the tests of the benchmark: what is read from the sources must allow what
happens. Writes lines `call FILE NAME LINE FILE NAME`, caller and callee, and `root
FILE NAME` where a stack begins; and whole stacks, `stack FILE NAME LINE FILE ...`,
outermost first.
"""

import os
import sys

import hostile
import shares
import steady

seen = set()
stacks = {}
STACKS = 1500  # at most so many are told


class Enough(Exception):
    pass


def hook(frame, event, arg):
    if event != "call" or frame.f_code.co_filename == __file__:
        return
    code, back = frame.f_code, frame.f_back
    callee = "%s %s" % (os.path.basename(code.co_filename), code.co_name)
    if back is None or back.f_code.co_filename == __file__:
        seen.add("root " + callee)
    else:
        file = os.path.basename(back.f_code.co_filename)
        call = "call %s %s %d %s" % (file, back.f_code.co_name, back.f_lineno, callee)
        if call not in seen and len(stacks) < STACKS:
            stacks[call] = stack_of(frame)
        seen.add(call)


def stack_of(frame):
    frames = []
    while frame is not None and frame.f_code.co_filename != __file__:
        code = frame.f_code
        frames.append("%s %s %d" % (os.path.basename(code.co_filename), code.co_name, frame.f_lineno))
        frame = frame.f_back
    return "stack " + " ".join(reversed(frames))


def start_hooked(function, arguments):
    start_thread(hooked, (function, arguments))


def hooked(function, arguments):
    sys.setprofile(hook)
    function(*arguments)


def stop_soon(*arguments):
    """In place of pulse(): ends a target that would run for ever."""
    raise Enough()


def hooked_run(function, *arguments):
    sys.setprofile(hook)
    try:
        function(*arguments)
    except Enough:
        pass
    finally:
        sys.setprofile(None)


def main():
    if sys.argv[1] == "hostile":
        hooked_run(hostile.storm, int(sys.argv[2]))
    elif sys.argv[1] == "steady":
        steady.pulse = stop_soon
        hooked_run(steady.chain(int(sys.argv[2])), 50)
    else:
        shares.pulse = stop_soon
        counts = {"five": (1, 50), "fifty": (3, 50), "two": (3, 5), "tiny": 3}
        hooked_run(shares.rounds, counts)
    sys.setprofile(None)
    text = "\n".join(sorted(seen) + sorted(stacks.values())) + "\n"
    os.write(1, text.encode("ascii"))


if __name__ == "__main__":
    start_thread = hostile.start_new_thread
    hostile.start_new_thread = start_hooked
    main()
