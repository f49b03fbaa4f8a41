#!/usr/bin/env python3
"""Type into real shells, press Tab, and look at what they make of it.

    completions.py SHARE PROGRAM...

SHARE is the directory that holds bash-completion/, zsh/ and fish/. Each program is a
stand-in that prints its arguments, so what counts is the line that would have been run.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

TARGET = "pyflametarget"  # at most 15 letters, or the kernel cuts it
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--private", "-i"],
}
SETUP = {
    "bash": "PS1='%'; bind 'set completion-query-items 0'; bind 'set page-completions off'; "
    "bind 'set enable-bracketed-paste off'; . /usr/share/bash-completion/bash_completion",
    "zsh": "PS1='%' LISTMAX=0; fpath+=({share}/zsh/vendor-completions); "
    "autoload -Uz compinit; compinit -u -D",
    "fish": "function fish_prompt; echo -n '%'; end",
}
# Only the launcher has commands.
COMMANDS = [
    ("rep\toutf\t", "report outfile"),
    ("report outf\t--form\tspee\t", "report outfile --format speedscope"),
    ("report --rela\toutf\t", "report --relative outfile"),
    ("diff --lin\toutf\toutf\t", "diff --lines outfile outfile"),
    ("top --paus\tnev\t", "top --pause never"),
]
ESCAPES = r"\x1b(\[[0-9;?>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|\([A-Z0-9]|.)"
PATIENCE = 20  # seconds; a shell on a busy machine is slow, not wrong


class Terminal:
    """A shell on a terminal that is high enough to list everything."""

    def __init__(self, shell, share, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {
                "PATH": f"{folder}:{os.environ['PATH']}",
                "HOME": str(folder),
                "TERM": "dumb" if shell != "fish" else "xterm",
                "LANG": "C.UTF-8",
                "XDG_DATA_DIRS": f"{share}:/usr/share",
            }
            os.execvpe(SHELLS[shell][0], SHELLS[shell], environment)
        termios.tcsetwinsize(self.fd, (400, 200))
        self.raw, self.seen = b"", ""
        self.type("\r")
        self.type(SETUP[shell].format(share=share) + "\r")
        self.wait_until_idle()

    def wait_until_idle(self):
        """Runs a command whose output is not what was typed."""
        self.raw, self.seen = b"", ""
        self.type("expr 11111 + 22222\r")
        self.wait_for("33333")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern):
        """Reads until `pattern` is there; returns the match."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.seen)):
            rest = end - time.monotonic()
            if rest < 0 or not select.select([self.fd], [], [], rest)[0]:
                raise AssertionError(f"no {pattern!r} in:\n{self.seen}")
            self.raw += os.read(self.fd, 65536)
            self.seen = re.sub(ESCAPES, "", self.raw.decode(errors="replace"))
        return match

    def line(self, text):
        """The arguments with which the program is run when `text` is typed, with Tabs."""
        self.raw, self.seen = b"", ""
        *parts, last = text.split("\t")
        for part in parts:
            self.type(part + "\t")
            time.sleep(0.3)  # a shell may take what is typed while it completes for a paste
        self.type(last + "\r")
        return self.wait_for(r"ARGUMENTS<([^\r\n]*)>END").group(1)

    def listed(self, text, wanted):
        """Presses Tab until every pattern of `wanted` is on the screen, then starts anew."""
        self.raw, self.seen = b"", ""
        self.type(text + "\t")
        time.sleep(0.3)
        self.type("\t")
        for pattern in wanted:
            self.wait_for(pattern)
        self.type("\x15")
        self.wait_until_idle()

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def two_neighbours(program):
    """Two processes whose ids differ in the last digit, and all that had to be started."""
    started = []
    while len(started) < 30:
        started.append(subprocess.Popen([program, str(600 + len(started))]))
        pair = started[-2:]
        if len(pair) == 2 and pair[0].pid // 10 == pair[1].pid // 10:
            return pair, started
    raise AssertionError("process ids are not given out in turn here")


def check(shell, share, folder, program, pair):
    """Yields what was typed, what it should have become, and what it became."""
    terminal = Terminal(shell, share, folder)
    pid = pair[0].pid
    # A profiler is for one, the launcher for all.
    abi = program.removeprefix("pyflame").replace(".", "")
    try:
        prefix = str(pid)[:-1]
        names = [rf"{process.pid}\W+(\S*/)?{TARGET}" for process in pair]
        terminal.listed(f"{program} -p {prefix}", names)
        for text, wanted in [
            (f"-p {pid}\t", f"-p {pid}"),
            (f"--pid={pid}\t", f"--pid={pid}"),
            (f"-o outf\t-p {pid}\t", f"-o outfile -p {pid}"),
            ("--paus\tnev\t", "--pause never"),
            ("--exclude-i\t", "--exclude-idle"),
            ("--abi %s\t" % (abi[:1] or "3"), "--abi " + abi if abi else None),
            (f"-t {TARGET[:-4]}\toutf\t", f"-t {TARGET} outfile"),
            (f"-s 3 -xt {TARGET[:-4]}\t", f"-s 3 -xt {TARGET}"),
            (f"-t {TARGET} --paus\t", f"-t {TARGET} --paus"),
            *(COMMANDS if program == "pyflame" else []),
        ]:
            if wanted is not None:
                seen = terminal.line(f"{program} {text}")
                yield text, wanted, re.sub("(--(pause|abi|format))=", r"\1 ", seen)
    finally:
        terminal.close()


def main():
    share, *programs = sys.argv[1:]
    share = Path(share).resolve()
    passed = failed = 0
    # fish may still be writing there, in the background, when all is over.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        (folder / "outfile").touch()
        target = folder / TARGET
        target.write_bytes(Path("/bin/sleep").read_bytes())
        target.chmod(0o755)
        for program in programs:
            script = folder / program
            script.write_text('#!/bin/sh\necho "ARGUMENTS<$*>END"\n')
            script.chmod(0o755)
        pair, started = two_neighbours(target)
        try:
            for shell in SHELLS:
                for program in programs:
                    for text, wanted, seen in check(shell, share, folder, program, pair):
                        good = wanted == seen
                        passed, failed = passed + good, failed + (not good)
                        if not good:
                            print(f"{shell}: {program} {text!r}: {seen!r}, not {wanted!r}")
        finally:
            for process in started:
                process.kill()
                process.wait()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
