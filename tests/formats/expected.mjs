// The truth: what the JSON lines of a profile say.

import fs from 'node:fs';
import { Thread } from './profiles.mjs';

/// The threads of a file, with the words by which a reader must call each, and all of them
/// as one.
export function expected(file) {
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));
  const [run] = lines;
  const period = run.period_s * 1000;
  const commands = new Map(run.processes.map(({ pid, command }) => [pid, command]));
  const threads = new Map();
  const all = new Thread(null);
  for (const line of lines.slice(1, -1)) {
    const words = threadWords(line, commands);
    const key = JSON.stringify(words);
    const thread = threads.get(key) ?? Object.assign(new Thread(key), { words });
    threads.set(key, thread);
    thread.addStack(stack(line), period);
    all.addStack(stack(line), period);
  }
  return { threads: [...threads.values()], all };
}

function threadWords(line, commands) {
  if (line.type !== 'sample') {
    return ['(no thread)'];
  }
  const number = line.native_id ?? `0x${threadId(line).toString(16)}`;
  const title = line.thread_name === null ? `Thread ${number}` : `${line.thread_name} (${number})`;
  return [`${commands.get(line.pid) || 'process'} (pid ${line.pid})`, title];
}

/// JSON's numbers are no integers here; the one of the golden file is known.
function threadId({ thread_id: id }) {
  return Number.isSafeInteger(id) ? id : BigInt.asUintN(64, -1n);
}

function stack(line) {
  if (line.type !== 'sample') {
    return [`(${line.type})`];
  }
  const names = line.frames.map(frame => frame.function);
  return line.truncated ? ['(truncated)', ...names] : names;
}
