"""A target program that runs: what it says about itself while it is profiled."""

import os
import subprocess
import threading
import time

from .process import at_time
from .truth import TARGETS


class Target:
    """A running target. `pulses` are (time, work, longest gap)."""

    def __init__(self, python, script, arguments, folder):
        self.pulses = []
        self.sections = []  # (time, {section: (seconds, calls)}), of shares.py
        self.facts = None
        self.ready = threading.Event()
        self.stderr = open(os.path.join(folder, "target.stderr"), "w+")
        command = [python.path, "-B", os.path.join(TARGETS, script)] + [str(a) for a in arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.stderr, cwd=folder,
            env=dict(os.environ, PYTHONHASHSEED="0"))
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        if not self.ready.wait(60) or self.facts is None:
            words = self.last_words()
            self.close()
            raise RuntimeError("%s did not start: %s" % (" ".join(command), words))

    def listen(self):
        """Takes in what the target writes until it ends."""
        for line in self.process.stdout:
            words = line.decode("ascii").split(None, 1)
            if words[0] == "ready":
                self.facts = words[1].strip()
                self.ready.set()
            elif words[0] == "pulse":
                at, work, longest = words[1].split()
                self.pulses.append((float(at), int(work), float(longest)))
            elif words[0] == "sections":
                at, *rest = words[1].split()
                pairs = zip(rest[::3], rest[1::3], rest[2::3])
                self.sections.append((float(at), {n: (float(s), int(c)) for n, s, c in pairs}))
        self.ready.set()

    def alive(self):
        return self.process.poll() is None

    def last_words(self):
        self.stderr.flush()
        self.stderr.seek(0)
        return self.stderr.read()[-500:] or "(it said nothing)"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.stderr.close()

    def caught_up(self, when):
        """Waits, a second at most, until a pulse from after that time is in."""
        limit = time.time() + 1
        while self.alive() and time.time() < limit and (not self.pulses or self.pulses[-1][0] < when):
            time.sleep(0.02)

    def work_rate(self, start, end):
        """Units of work a second in that time."""
        points = [(at, work) for at, work, _ in list(self.pulses)]
        return (at_time(points, end) - at_time(points, start)) / (end - start)

    def longest_gap(self, start, end):
        """The longest gap of the pulses of that time."""
        gaps = [gap for at, _, gap in list(self.pulses) if start < at <= end]
        return max(gaps, default=None)

    def section_times(self, start, end):
        """{section: (seconds, calls)} spent in that time, to the nearest told moment."""
        told = list(self.sections)
        if len(told) < 2:
            return None
        first = min(told, key=lambda moment: abs(moment[0] - start))[1]
        last = min(told, key=lambda moment: abs(moment[0] - end))[1]
        return {name: (last[name][0] - first[name][0], last[name][1] - first[name][1]) for name in last}
