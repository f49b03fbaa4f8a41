"""Packages from PyPI as folders of pure Python, at fixed versions.

Wheels are fetched once, by the pip of the benchmark's own environment, and unpacked
without what is compiled in them. So they serve interpreters that have no pip, and the
pure Python that a package falls back to is what runs.
"""

import glob
import os
import shutil
import subprocess
import sys
import zipfile

from . import install

COMPILED = (".so", ".pyd", ".c", ".pyx")
PLATFORMS = ("any", "manylinux2014_x86_64", "manylinux1_x86_64")  # compiled parts are left out: it fits elsewhere too


class Packages:
    """Those below a folder; what is missing is fetched."""

    def __init__(self, folder):
        self.wheels = os.path.join(folder, "wheels")
        self.unpacked = os.path.join(folder, "packages")
        self.parent = folder

    def folder(self, package, version):
        """Where `NAME==VERSION` lies, for an interpreter of that version."""
        name = package.replace("==", "-")
        path = os.path.join(self.unpacked, name)
        if not os.path.isdir(path):
            wheel = self.wheel(package, version)
            shutil.rmtree(path + ".new", ignore_errors=True)
            with zipfile.ZipFile(wheel) as file:
                members = [m for m in file.namelist() if not m.endswith(COMPILED)]
                file.extractall(path + ".new", members)
            os.rename(path + ".new", path)
        return path

    def wheel(self, package, version):
        """The file, in a folder of its own."""
        folder = os.path.join(self.wheels, package.replace("==", "-"))
        if not glob.glob(os.path.join(folder, "*.whl")):
            print("fetching", package, file=sys.stderr)
            tag = "cp%d%d" % version + {(2, 7): "mu", (3, 6): "m", (3, 7): "m"}.get(version, "")
            command = install.pip(self.parent) + ["download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder]
            command += ["--python-version", "%d.%d" % version, "--implementation", "cp", "--abi", tag, "--abi", "none"]
            for platform in PLATFORMS:
                command += ["--platform", platform]
            subprocess.run(command + [package], check=True)
        return glob.glob(os.path.join(folder, "*.whl"))[0]
