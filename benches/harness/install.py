"""py-spy and Austin from PyPI, in a folder of their own, at fixed versions."""

import glob
import os
import subprocess
import sys

from . import interpreters

PACKAGES = {"py-spy": "0.4.3", "austin-dist": "4.0.0"}


def pip(folder):
    """The words that start the pip of the environment below `folder`, which is made if
    it is not there."""
    python = os.path.join(folder, "venv", "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", "--clear", os.path.join(folder, "venv")], check=True)
    return [python, "-m", "pip", "--disable-pip-version-check"]


def install(folder):
    """Installs what is missing below `folder` and returns its bin folder."""
    venv = os.path.join(folder, "venv")
    stamp = os.path.join(venv, "installed")
    wanted = " ".join("%s==%s" % item for item in sorted(PACKAGES.items()))
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        print("installing", wanted, "into", venv, file=sys.stderr)
        subprocess.run(pip(folder) + ["install", "-q"] + wanted.split(), check=True)
        with open(stamp, "w") as file:
            file.write(wanted)
    return os.path.join(venv, "bin")


def austin_command(bin_folder):
    """The words that start Austin. Its 4.0 wheel wants a C library newer than that
    of some distributions it is installable on; then it is started by the loader of
    an interpreter from such a distribution, if there is one."""
    austin = os.path.join(bin_folder, "austin")
    if answers([austin]):
        return [austin]
    pattern = os.path.join(interpreters.folder(), "*", "usr", "lib", "*", "ld-linux-*.so*")
    for loader in sorted(glob.glob(pattern)):
        command = [loader, "--library-path", os.path.dirname(loader), austin]
        if answers(command):
            return command
    return None


def answers(command):
    """Whether the program starts at all."""
    try:
        return subprocess.run(command + ["--version"], capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False
