"""Runs a program with its arguments as `conda run` does, waits for it, and ends as it did.

    python wraps.py run PROGRAM [ARGUMENT]...
"""

import subprocess
import sys

sys.exit(subprocess.call(sys.argv[2:]))
