// The Firefox Profiler's own command line. It loads a profile into a process that stays, and
// asks that.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { Thread } from './profiles.mjs';

const COMMAND = createRequire(import.meta.url).resolve(
  '@firefox-devtools/profiler-cli/dist/profiler-cli.js',
);

/// What one sample of the golden file stands for; the program counts samples.
const PERIOD = 10;

/// How long a process may take to load the profile, in milliseconds.
const PATIENCE = 60_000;

/// How many processes are started at most. One was once seen to be lost: it printed nothing
/// and answered nothing.
const PROCESSES = 3;

export async function read(file) {
  for (let started = 1; ; started++) {
    const session = new Session(file);
    try {
      const { threads } = await session.patiently('thread', 'list');
      const seen = [];
      for (const found of threads) {
        seen.push(await thread(found, session));
      }
      return { threads: seen };
    } catch (error) {
      const words = `${error.message}\n     the process that loads: ${session.state()}`;
      if (started === PROCESSES) {
        throw new Error(words);
      }
      console.log(`again firefox: process ${started} of ${PROCESSES}: ${words}`);
    } finally {
      await session.end();
    }
  }
}

async function thread({ name, processName, threadHandle }, session) {
  const seen = new Thread(`${processName}: ${name}`);
  const { functions } = await session.ask(
    'thread', 'functions', '--thread', threadHandle, '--include-idle',
  );
  for (const { name, totalSamples, selfSamples } of functions) {
    seen.add(name, totalSamples * PERIOD, selfSamples * PERIOD);
  }
  return seen;
}

/// A process that has loaded one profile, and a folder where it is found.
class Session {
  constructor(file) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'profiler-'));
    this.env = { ...process.env, PROFILER_CLI_SESSION_DIR: this.folder };
    // `load` would start it, but gives up after half a second.
    this.server = spawn(process.execPath, this.command('--daemon', path.resolve(file)), {
      env: this.env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  command(...words) {
    return [COMMAND, ...words, '--session', 'formats'];
  }

  /// What the process answers to one question.
  async ask(...words) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      this.command(...words, '--json'),
      { env: this.env, encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    return JSON.parse(stdout);
  }

  /// Asks until there is an answer, the process has ended, or it has taken too long.
  async patiently(...words) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      try {
        return await this.ask(...words);
      } catch (error) {
        if (this.hasEnded() || Date.now() > end) {
          throw error;
        }
      }
    }
  }

  hasEnded() {
    return this.server.exitCode !== null || this.server.signalCode !== null;
  }

  /// Whether the process still runs, and what it has written of itself.
  state() {
    const { exitCode, signalCode } = this.server;
    const ran = this.hasEnded() ? `ended (${signalCode ?? exitCode})` : 'runs';
    const log = path.join(this.folder, 'formats.log');
    return `${ran}; ${fs.existsSync(log) ? fs.readFileSync(log, 'utf8') : 'no log'}`;
  }

  async end() {
    if (!this.hasEnded()) {
      const ended = once(this.server, 'exit');
      this.server.kill('SIGKILL');
      await ended;
    }
    fs.rmSync(this.folder, { recursive: true });
  }
}
