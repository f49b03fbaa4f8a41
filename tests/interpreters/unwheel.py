"""unwheel.py WHEEL DIR PREFIX...: unpack the members whose names begin with a PREFIX."""
import os
import sys
import zipfile

wheel, out, prefixes = sys.argv[1], sys.argv[2], tuple(sys.argv[3:])
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        if member.filename.startswith(prefixes) and not member.filename.endswith("/"):
            os.chmod(archive.extract(member, out), 0o755)
