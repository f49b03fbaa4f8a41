// The Firefox Profiler's own command line. It loads a profile into a process that stays, and
// asks that.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Thread } from './profiles.mjs';

const COMMAND = createRequire(import.meta.url).resolve(
  '@firefox-devtools/profiler-cli/dist/profiler-cli.js',
);

/// What one sample of the golden file stands for; the program counts samples.
const PERIOD = 10;

/// How long the process may take to load the profile, in milliseconds.
const PATIENCE = 120_000;

export async function read(file) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'profiler-'));
  const env = { ...process.env, PROFILER_CLI_SESSION_DIR: folder };
  const command = words => [COMMAND, ...words, '--session', 'formats'];
  // `load` would start it, but gives up after half a second.
  const server = spawn(process.execPath, command(['--daemon', path.resolve(file)]), {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ask = (...words) =>
    JSON.parse(
      execFileSync(process.execPath, command([...words, '--json']), {
        env,
        encoding: 'utf8',
        maxBuffer: 1 << 26,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  try {
    return { threads: patiently(() => ask('thread', 'list')).threads.map(found => thread(found, ask)) };
  } finally {
    if (server.exitCode === null) {
      server.kill();
      await once(server, 'exit');
    }
    fs.rmSync(folder, { recursive: true });
  }
}

function thread({ name, processName, threadHandle }, ask) {
  const seen = new Thread(`${processName}: ${name}`);
  const { functions } = ask('thread', 'functions', '--thread', threadHandle, '--include-idle');
  for (const { name, totalSamples, selfSamples } of functions) {
    seen.add(name, totalSamples * PERIOD, selfSamples * PERIOD);
  }
  return seen;
}

/// Asks until there is an answer, or it has taken too long.
function patiently(question) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      return question();
    } catch (error) {
      if (Date.now() > end) {
        throw error;
      }
    }
  }
}
