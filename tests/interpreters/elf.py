"""As much of ELF (64 bit, little endian) as report.py needs to describe an interpreter."""
import mmap
import os
import struct

# The symbols by which a profiler finds its way into an interpreter.
SYMBOLS = ['_PyThreadState_Current', 'interp_head', '_PyRuntime', 'Py_Version', 'PyInterpreterState_Head',
           'Py_GetVersion', 'PyString_Type', 'PyUnicode_Type', 'PyBytes_Type', 'PyCode_Type', '_PyCode_GetExtra',
           'PyUnstable_Code_GetExtra', '_PyEval_RequestCodeExtraIndex', 'PyUnstable_Eval_RequestCodeExtraIndex',
           '_PyThreadState_UncheckedGet', 'PyThreadState_GetUnchecked', '_Py_DebugOffsets', '_PyInterpreterState_Main']

PT_LOAD = 1
DT_NEEDED, DT_RPATH, DT_RUNPATH = 1, 15, 29


class Elf(object):
    def __init__(self, path):
        self.path = path
        with open(path, 'rb') as f:
            self.data = data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        assert data[:4] == b'\x7fELF', path
        self.kind = {2: 'EXEC', 3: 'PIE'}[struct.unpack_from('<H', data, 16)[0]]
        phoff, shoff = struct.unpack_from('<QQ', data, 32)
        phentsize, phnum, shentsize, shnum, shstrndx = struct.unpack_from('<HHHHH', data, 54)
        self.loads = []
        for i in range(phnum):
            kind, _, offset, address, _, size, _, _ = struct.unpack_from('<IIQQQQQQ', data, phoff + i * phentsize)
            if kind == PT_LOAD:
                self.loads.append((address, offset, size))
        # (name, type, flags, address, offset, size, link, info, alignment, entry size)
        self.headers = [struct.unpack_from('<IIQQQQIIQQ', data, shoff + i * shentsize) for i in range(shnum)]
        names = self.headers[shstrndx][4]
        self.sections = {}
        for header in self.headers:
            self.sections.setdefault(self.text(names + header[0]), header)
        self._tables = None

    @property
    def tables(self):
        """Both symbol tables, read when first asked for: a debug build's are large."""
        if self._tables is None:
            self._tables = {name: self.symbols(name) for name in ('.dynsym', '.symtab')}
        return self._tables

    def text(self, offset):
        return self.data[offset:self.data.find(b'\0', offset)].decode('latin1')

    def dynamic(self):
        """The libraries it needs and the directories it looks for them, as (tag, text)."""
        section = self.sections.get('.dynamic')
        if not section:
            return
        strings = self.headers[section[6]][4]
        for offset in range(section[4], section[4] + section[5], 16):
            tag, value = struct.unpack_from('<qQ', self.data, offset)
            if tag in (DT_NEEDED, DT_RPATH, DT_RUNPATH):
                yield tag, self.text(strings + value)

    def symbols(self, name):
        """Defined symbols of one table: name to address."""
        section, found = self.sections.get(name), {}
        if section:
            strings = self.headers[section[6]][4]
            for offset in range(section[4], section[4] + section[5], 24):
                name_offset, _, _, index, value, _ = struct.unpack_from('<IBBHQQ', self.data, offset)
                if index and name_offset:
                    found.setdefault(self.text(strings + name_offset), value)
        return found

    def find(self, name):
        return self.tables['.dynsym'].get(name) or self.tables['.symtab'].get(name)

    def where(self, name):
        """D: in .dynsym; s: in .symtab alone; -: nowhere."""
        return 'D' if name in self.tables['.dynsym'] else 's' if name in self.tables['.symtab'] else '-'

    def at(self, address, count):
        """The bytes that the file has for an address."""
        for start, offset, size in self.loads:
            if start <= address < start + size:
                return self.data[offset + address - start:offset + address - start + count]
        return b''


def python_file(executable):
    """The file that holds the interpreter: the executable, or the libpython that it needs."""
    main = Elf(executable)
    origin = os.path.dirname(os.path.realpath(executable))
    needed, directories = [], []
    for tag, text in main.dynamic():
        if tag == DT_NEEDED:
            needed.append(text)
        else:
            directories += text.replace('${ORIGIN}', '$ORIGIN').replace('$ORIGIN', origin).split(':')
    directories.append(os.path.join(os.path.dirname(origin), 'lib'))
    for library in needed:
        if library.startswith('libpython'):
            for directory in directories:
                if os.path.exists(os.path.join(directory, library)):
                    return os.path.join(directory, library)
    return executable


def interpreter_state_head(elf):
    """The first bytes of PyInterpreterState_Head, and what they say about where the list head is."""
    start, runtime = elf.find('PyInterpreterState_Head'), elf.find('_PyRuntime')
    code = elf.at(start, 40) if start else b''
    hexed = ' '.join('%02x' % byte for byte in bytearray(code[:16]))
    body, pc = code, start or 0
    for prologue in (b'\xf3\x0f\x1e\xfa', b'\x55\x48\x89\xe5'):   # endbr64; push rbp and mov rbp, rsp
        if body.startswith(prologue):
            body, pc = body[4:], pc + 4
    if body[:3] not in (b'\x48\x8b\x05', b'\x48\x8d\x05'):        # mov or lea rax, [rip + displacement]
        return hexed, '?'
    target = pc + 7 + struct.unpack_from('<i', body, 3)[0]
    rest = body[7:]
    if rest[:1] in (b'\xc3', b'\x5d'):                            # ret, or pop rbp
        text = 'mov rax,[0x%x]; ret -> variable at 0x%x' % (target, target)
        if runtime is not None and runtime <= target < runtime + 0x80000:
            text += ' = _PyRuntime+0x%x' % (target - runtime)
        return hexed, text
    if body[1:2] == b'\x8b':
        first = 'GOT slot 0x%x' % target
    else:
        first = 'lea rax,[0x%x]%s' % (target, ' = _PyRuntime' if target == runtime else '')
    if rest.startswith(b'\x48\x8b\x00'):
        return hexed, first + ', then [rax]'
    if rest.startswith(b'\x48\x8b\x40'):
        return hexed, first + ', then [rax+0x%x]' % bytearray(rest)[3]
    if rest.startswith(b'\x48\x8b\x80'):
        return hexed, first + ', then [rax+0x%x]' % struct.unpack_from('<i', rest, 3)[0]
    return hexed, '?'
