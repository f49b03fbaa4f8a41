// check.mjs STEM: give STEM.speedscope.json, STEM.pb.gz and so on to their readers, and
// compare what each makes of every thread with what STEM.jsonl says.

import { expected } from './expected.mjs';
import { difference } from './profiles.mjs';
import * as devtools from './devtools.mjs';
import * as firefox from './firefox.mjs';
import * as pprof from './pprof.mjs';
import * as schemas from './schemas.mjs';
import { Speedscope } from './speedscope.mjs';
import * as svg from './svg.mjs';

const stem = process.argv[2];
const truth = expected(`${stem}.jsonl`);
const speedscope = await Speedscope.open();
// A reader returns what it sees, or throws what is wrong.
const readers = [
  ['cpuprofile: the protocol\'s schema', () => schemas.cpuprofile(`${stem}.cpuprofile`)],
  ['speedscope: its schema', () => schemas.speedscope(`${stem}.speedscope.json`)],
  ['speedscope: speedscope', () => speedscope.read(`${stem}.speedscope.json`)],
  ['trace-event: speedscope', () => speedscope.read(`${stem}.trace.json`)],
  ['cpuprofile: speedscope', () => speedscope.read(`${stem}.cpuprofile`)],
  ['pprof: speedscope', () => speedscope.read(`${stem}.pb.gz`)],
  ['cpuprofile: Chrome\'s developer tools', () => devtools.cpuprofile(`${stem}.cpuprofile`)],
  ['trace-event: Chrome\'s developer tools', () => devtools.trace(`${stem}.trace.json`)],
  ['firefox: the Firefox Profiler', () => firefox.read(`${stem}.firefox.json`)],
  ['pprof: go tool pprof', () => pprof.read(`${stem}.pb.gz`)],
  ...['svg', 'icicle.svg', 'chart.svg'].map(kind => [
    `${kind}: Chromium`,
    () => svg.read(speedscope.browser, `${stem}.${kind}`, `${stem}.jsonl`),
  ]),
];
let [passed, failed] = [0, 0];
for (const [name, read] of readers) {
  let words;
  try {
    const seen = await read();
    words = seen && difference(truth, seen);
  } catch (error) {
    words = error.stack;
  }
  console.log(words ? `FAIL ${name}\n     ${words}` : `ok   ${name}`);
  words ? failed++ : passed++;
}
await speedscope.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
