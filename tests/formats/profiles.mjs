// What a reader makes of a file: threads, and for each function in a thread the milliseconds
// in which it was on the stack, and in which it was innermost.

export class Thread {
  /// `title` is what the reader calls the thread; null if it shows all threads as one.
  constructor(title) {
    this.title = title;
    this.functions = new Map();
  }

  /// Adds to the times of a function.
  add(name, total, self) {
    const times = this.functions.get(name) ?? { total: 0, self: 0 };
    this.functions.set(name, { total: times.total + total, self: times.self + self });
  }

  /// Adds a stack of names, root first.
  addStack(names, time) {
    new Set(names).forEach(name => this.add(name, time, 0));
    this.add(names.at(-1), 0, time);
  }
}

/// What a reader sees otherwise than the truth, in words; null if nothing. The reader may
/// have words of its own for the function without a name, and leave words out.
export function difference(truth, { threads, nameless = '', without = [] }) {
  if (threads.length === 1 && threads[0].title === null) {
    // Where there are no threads, processes and threads are branches of the tree.
    const branches = ['(root)', '(program)', ...truth.threads.flatMap(thread => thread.words)];
    branches.forEach(name => threads[0].functions.delete(name));
    return threadDifference(truth.all, threads[0], nameless, without);
  }
  if (threads.length !== truth.threads.length) {
    return `${threads.length} threads, not ${truth.threads.length}`;
  }
  for (const wanted of truth.threads) {
    const seen = threads.find(thread => wanted.words.every(word => thread.title.includes(word)));
    if (!seen) {
      const titles = threads.map(thread => JSON.stringify(thread.title)).join(', ');
      return `no thread called ${JSON.stringify(wanted.words)} among ${titles}`;
    }
    const words = threadDifference(wanted, seen, nameless, without);
    if (words) {
      return `${JSON.stringify(wanted.words)}: ${words}`;
    }
  }
  return null;
}

function threadDifference(wanted, seen, nameless, without) {
  const left = new Map(seen.functions);
  for (const [name, times] of wanted.functions) {
    if (without.includes(name)) {
      continue;
    }
    const key = name === '' ? nameless : name;
    const found = left.get(key);
    left.delete(key);
    // Readers round what they print.
    const near = kind => found && Math.abs(found[kind] - times[kind]) < 0.006;
    if (!near('total') || !near('self')) {
      return `${short(name)}: ${JSON.stringify(found)}, not ${JSON.stringify(times)}`;
    }
  }
  return left.size === 0 ? null : `also ${[...left.keys()].map(short).join(', ')}`;
}

function short(name) {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
