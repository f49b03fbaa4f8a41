// go tool pprof reads the file and writes it anew; another library's protobuf reader tells
// what it has become.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { Profile } from 'pprof-format';
import { Thread } from './profiles.mjs';

/// What go tool pprof has to say of each golden file.
const WORDS = {
  hostile: {
    '-comments': ['ticks: 25', 'process (pid 4250)'],
    '-tags': ['holds the GIL', 'without the GIL, off CPU', 'Thread 4243'],
    '-top': ['<module>', 'Type: wall', 'Duration: 250ms'],
  },
  native: {
    '-top': ['sort<int>', '_PyEval_EvalFrameDefault', '0x7f0012340000'],
    '-raw': ['/srv/lib/libfoo.so.1 00112233445566778899aabbccddeeff01234567'],
  },
};

export function read(file) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pprof-'));
  const output = path.join(folder, 'again.pb.gz');
  const go = (...words) =>
    execFileSync('go', ['tool', 'pprof', ...words, file], {
      env: { ...process.env, PPROF_TMPDIR: folder, HOME: folder },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  try {
    go('-proto', '-output', output);
    for (const [option, words] of Object.entries(WORDS[path.basename(file).split('.')[0]])) {
      expectWords(option, go(option), words);
    }
    return { threads: threads(Profile.decode(zlib.gunzipSync(fs.readFileSync(output)))) };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function expectWords(option, text, words) {
  const missing = words.filter(word => !text.includes(word));
  if (missing.length > 0) {
    throw new Error(`pprof ${option} does not say ${missing.join(', ')}:\n${text}`);
  }
}

function threads(profile) {
  const text = index => profile.stringTable.strings[Number(index)];
  const functions = new Map(profile.function.map(found => [found.id, text(found.name)]));
  const locations = new Map(
    profile.location.map(({ id, line }) => [id, functions.get(line[0].functionId)]),
  );
  const seen = new Map();
  for (const { locationId, value, label } of profile.sample) {
    const labels = new Map(label.map(({ key, str }) => [text(key), text(str)]));
    const title = labels.has('thread') ? `${labels.get('process')}: ${labels.get('thread')}` : '(no thread)';
    const thread = seen.get(title) ?? new Thread(title);
    seen.set(title, thread);
    thread.addStack(locationId.map(id => locations.get(id)).reverse(), Number(value[1]) / 1e6);
  }
  return [...seen.values()];
}
