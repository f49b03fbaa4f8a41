"""downlevel.py DIR: rewrites 3.6's standard library in DIR for 3.5.

What goes: f-strings, asynchronous generators, and the few calls that 3.5's C
modules do not have. Run by 3.6, in place.
"""
import io
import os
import re
import string
import sys
import tokenize

STRING = re.compile(r'''(?s)([a-zA-Z]*)("""|\'\'\'|"|')(.*)\2$''')


def doubled(text):
    """Text that str.format gives back as it was."""
    return text.replace('{', '{{').replace('}', '}}')


def template(token):
    """The text of one string token as a str.format template, and its arguments."""
    prefix, quote, body = STRING.match(token).groups()
    args = []
    if 'f' not in prefix.lower():
        return prefix + quote + doubled(body) + quote, args

    def convert(text):
        out = ''
        for literal, field, spec, conversion in string.Formatter().parse(text):
            out += doubled(literal)
            if field is not None:
                args.append(field)
                out += '{' + ('!' + conversion if conversion else '')
                out += (':' + convert(spec) if spec else '') + '}'
        return out

    return re.sub('[fF]', '', prefix) + quote + convert(body) + quote, args


def string_groups(source):
    """The string tokens of a source, those that Python concatenates together."""
    groups, last = [], None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            if last is None:
                last = []
                groups.append(last)
            last.append(token)
        elif token.type not in (tokenize.NL, tokenize.COMMENT):
            last = None
    return groups


def without_fstrings(source):
    starts = [0]
    for line in source.splitlines(True):
        starts.append(starts[-1] + len(line))

    def offset(position):
        return starts[position[0] - 1] + position[1]

    for group in reversed(string_groups(source)):
        if any('f' in STRING.match(token.string).group(1).lower() for token in group):
            parts = [template(token.string) for token in group]
            text = '(%s).format(%s)' % (' '.join(text for text, _ in parts),
                                        ', '.join('(%s)' % arg for _, args in parts for arg in args))
            source = source[:offset(group[0].start)] + text + source[offset(group[-1].end):]
    return source


def rewrite(path, source):
    source = without_fstrings(source)
    source = re.sub(r'async def _ag\(\):\s+yield\n_ag = _ag\(\)\n(\w+) = type\(_ag\)\n',
                    r'class _ag: pass\n\1 = _ag\n', source)
    source = re.sub(r'(?m)^AsyncGenerator\.register\(async_generator\)\n', '', source)
    source = source.replace('sys.getfilesystemencodeerrors()', "'surrogateescape'")
    source = re.sub(r'(?m)^( +)with os\.scandir\((\w+)\) as (\w+):', r'\1\3 = os.scandir(\2)\n\1if True:', source)
    source = source.replace('    with scandir_it:\n', '    if True:\n')
    if path.endswith('hashlib.py'):      # blake2 and sha3 came with 3.6
        source = re.sub(r"(?s),\s+'blake2b', .*?\)", ')', source, 1)
    if path.endswith(('symtable.py', 'ssl.py')):
        source = source.replace('DEF_ANNOT, ', '').replace('MemoryBIO, SSLSession', 'MemoryBIO')
    return source


def rewrite_file(path):
    with open(path, 'rb') as f:
        encoding = tokenize.detect_encoding(f.readline)[0]
    with open(path, encoding=encoding, newline='') as f:
        old = f.read()
    try:
        new = rewrite(path, old)
    except (SyntaxError, tokenize.TokenError, ValueError) as e:
        # a file of strange syntax, which 3.6 has for its own tests: it stays as it is
        print('downlevel: %s: %s' % (path, e), file=sys.stderr)
        return
    if new != old:
        with open(path, 'w', encoding=encoding, newline='') as f:
            f.write(new)


for top, _, files in os.walk(sys.argv[1]):
    for name in files:
        if name.endswith('.py'):
            rewrite_file(os.path.join(top, name))
