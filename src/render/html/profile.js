// The profile as it was written into the page, and what its columns of numbers mean.
// src/render/html/document.rs describes them.

const data = JSON.parse(document.getElementById("profile").textContent);

const HOLDS_GIL = 1;
const OFF_CPU = 2;
const ON_CPU = 4;
const SUSPENDED = 8;

const profile = {
  /** The caller of each stack; -1 for none. Callers come first. */
  callers: Int32Array.from(data.stacks.caller, (distance, stack) => (distance ? stack - distance : -1)),
  /** The innermost frame of each stack; -1 where frames were not read. */
  leaves: Int32Array.from(data.stacks.frame, (frame) => frame - 1),
  /** Each thread's stack in each state that occurs: when, and how often. */
  rows: readRows(data.timeline.rows),
  idle: readBins(data.timeline.idle, 0, data.timeline.idle.length / 2),
  failed: readBins(data.timeline.failed, 0, data.timeline.failed.length / 2),
  bins: data.timeline.bins,
  /** Seconds. */
  binWidth: data.timeline.width / 1e6,
};

function readRows(flat) {
  const rows = [];
  for (let at = 0; at < flat.length; ) {
    const [thread, stack, state, length] = flat.slice(at, at + 4);
    rows.push({ thread, stack, state, when: readBins(flat, at + 4, length) });
    at += 4 + 2 * length;
  }
  return rows;
}

/** Bins, which are written as distances, and the samples in each. */
function readBins(flat, from, length) {
  const bins = new Uint32Array(length);
  const samples = new Float64Array(length);
  let bin = 0;
  for (let i = 0; i < length; i++) {
    bin += flat[from + 2 * i];
    bins[i] = bin;
    samples[i] = flat[from + 2 * i + 1];
  }
  return { bins, samples };
}

/** The samples in the bins from `from` up to, and without, `to`. */
function samplesBetween({ bins, samples }, from, to) {
  let sum = 0;
  for (let i = lowerBound(bins, from); i < bins.length && bins[i] < to; i++) sum += samples[i];
  return sum;
}

/** The first position in a sorted array at which there is no less than `value`. */
function lowerBound(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How many samples of each row, how many idle and failed ones are in a selection:
 * `thread` (null for all), `state` (see STATES), `from` and `to` in bins, `idle`.
 */
function weigh(selection) {
  const matches = STATES[selection.state].matches;
  const { thread, from, to } = selection;
  const rows = profile.rows.map((row) => {
    const wanted = (thread === null || thread === row.thread) && matches(row.state);
    return wanted ? samplesBetween(row.when, from, to) : 0;
  });
  // An idle moment belongs to no thread and to no state.
  const withNotes = selection.idle && thread === null && selection.state === "any";
  const idle = withNotes ? samplesBetween(profile.idle, from, to) : 0;
  const failed = withNotes ? samplesBetween(profile.failed, from, to) : 0;
  return { rows, idle, failed, total: rows.reduce((sum, n) => sum + n, idle + failed) };
}

/** Whether no process has a GIL: threads are attached to the interpreter, or not. */
const isFreeThreaded = data.processes.length > 0 && data.processes.every(({ python }) => python.endsWith("t"));

const STATES = {
  any: { name: "Any state", matches: () => true },
  gil: { name: isFreeThreaded ? "Attached" : "Holding the GIL", matches: (state) => (state & HOLDS_GIL) !== 0 },
  free: { name: isFreeThreaded ? "Detached" : "Without the GIL", matches: (state) => (state & (HOLDS_GIL | SUSPENDED)) === 0 },
  suspended: { name: "Suspended", matches: (state) => (state & SUSPENDED) !== 0 },
  on: { name: "On a processor", matches: (state) => (state & ON_CPU) !== 0 },
  off: { name: "Off the processor", matches: (state) => (state & OFF_CPU) !== 0 },
};

/** The states that tell samples of this profile apart. */
function statesThatOccur() {
  const seen = new Set(profile.rows.map((row) => row.state));
  const names = ["any"];
  for (const group of [["gil", "free", "suspended"], ["on", "off"]]) {
    const occurring = group.filter((name) => [...seen].some(STATES[name].matches));
    if (occurring.length > 1) names.push(...occurring);
  }
  return names;
}

function threadName(thread) {
  const { name, native, id, process } = data.threads[thread];
  const number = native === null ? id : String(native);
  const pid = data.tellsProcesses ? `, pid ${data.processes[process].pid}` : "";
  return name === null ? `Thread ${number}${pid}` : `${name} (${number})${pid}`;
}

function processName(process) {
  const { pid, command } = data.processes[process];
  return `${command || "process"} (pid ${pid})`;
}

const numbers = new Intl.NumberFormat("en-US");

function count(samples) {
  return numbers.format(samples);
}

function percent(part, whole) {
  const value = whole > 0 ? (100 * part) / whole : 0;
  return `${value.toFixed(value > 0 && value < 0.1 ? 2 : 1)} %`;
}

function seconds(time) {
  return `${Number(time.toFixed(time < 10 ? 3 : 1))} s`;
}

/** An element with properties, and children that are elements or texts. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

