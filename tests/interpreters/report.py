"""report.py [--check] [--facts FILE] LIST CACHE: run every interpreter on LIST and print a table.

LIST has lines of `label TAB executable`. The table is left in CACHE/interpreters.tsv.
An interpreter whose files have not changed since it was last run is not run again,
unless --check is given. The status is 1 if none works.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

from elf import SYMBOLS, Elf, interpreter_state_head, python_file

HERE = os.path.dirname(os.path.abspath(__file__))
CHECK = os.path.join(HERE, 'check.py')
COLUMNS = ['label', 'executable', 'python is', 'ELF', 'symbols', 'version', 'check']
TIMEOUT = 120  # seconds


def run(executable):
    """The version that the interpreter prints, and `ok` or what went wrong."""
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHONHOME', 'PYTHONPATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH')}
    env['PYTHONDONTWRITEBYTECODE'] = '1'
    try:
        done = subprocess.run([executable, CHECK, 'a', 'b c'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as e:
        return '?', 'FAIL: %s' % e
    if done.returncode:
        words = done.stderr.decode('utf8', 'replace').strip().splitlines() or ['exit %d' % done.returncode]
        return '?', 'FAIL: ' + words[-1]
    return done.stdout.decode().strip(), 'ok'


def fingerprint(executable):
    """Changes when the interpreter, its library or the check does."""
    parts = []
    for path in {os.path.realpath(executable), os.path.realpath(python_file(executable))}:
        stat = os.stat(path)
        parts.append('%s %d %d' % (path, stat.st_size, stat.st_mtime_ns))
    for name in ('check.py', 'elf.py', 'report.py'):
        with open(os.path.join(HERE, name), 'rb') as f:
            parts.append(hashlib.sha256(f.read()).hexdigest())
    return hashlib.sha256('\n'.join(sorted(parts)).encode()).hexdigest()


def examine(label, executable):
    """One row of the table, and one row of facts."""
    version, outcome = run(executable)
    main, python = Elf(executable), Elf(python_file(executable))
    row = [label, executable, 'static' if main.path == python.path else 'shared', main.kind,
           'symtab' if python.tables['.symtab'] else 'stripped', version, outcome]
    code, meaning = interpreter_state_head(python)
    facts = [label] + [python.where(s) for s in SYMBOLS]
    facts += ['yes' if '.PyRuntime' in python.sections else 'no', code, meaning]
    return {'row': row, 'facts': facts}


def replace(path, lines):
    """Write a file so that no reader ever sees half of it, and leave an equal one alone."""
    text = ''.join('\t'.join(line) + '\n' for line in lines)
    try:
        with open(path) as f:
            if f.read() == text:
                return
    except OSError:
        pass
    with open(path + '.new', 'w') as f:
        f.write(text)
    os.rename(path + '.new', path)


def load(path):
    """What the last run found out, by label."""
    try:
        with open(path) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--facts')
    parser.add_argument('list')
    parser.add_argument('cache')
    options = parser.parse_args()
    with open(options.list) as f:
        listed = [line.rstrip('\n').split('\t') for line in f]

    store = os.path.join(options.cache, 'checked.json')
    known = {} if options.check else load(store)
    marks = {label: fingerprint(executable) for label, executable in listed}
    stale = [(label, executable) for label, executable in listed
             if known.get(label, {}).get('mark') != marks[label] or known[label]['row'][1] != executable]
    if stale:
        print('[interpreters] checking %d of %d' % (len(stale), len(listed)), file=sys.stderr)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for (label, _), found in zip(stale, pool.map(lambda one: examine(*one), stale)):
                # one that failed is tried again next time
                found['mark'] = marks[label] if found['row'][-1] == 'ok' else ''
                known[label] = found
        with open(store + '.new', 'w') as f:
            json.dump(known, f)
        os.rename(store + '.new', store)

    rows = [known[label]['row'] for label, _ in listed]
    replace(os.path.join(options.cache, 'interpreters.tsv'), rows)
    if options.facts:
        replace(options.facts, [['label'] + SYMBOLS + ['.PyRuntime section', 'PyInterpreterState_Head', 'meaning']] +
                [known[label]['facts'] for label, _ in listed])
    widths = [max(len(row[i]) for row in [COLUMNS] + rows) for i in range(len(COLUMNS))]
    for row in [COLUMNS] + rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print('%d interpreters in %s' % (len(rows), options.cache))
    return 0 if any(row[-1] == 'ok' for row in rows) else 1


if __name__ == '__main__':
    sys.exit(main())
