// Stacks merged into a tree: what a flame graph draws, and what the tables sum up.

const ORIGINS = { o: "own", i: "installed", s: "standard" };
const NATIVE = { n: "native", c: "interpreter" };

/** What native code a frame is of; undefined for Python. */
function nativeKind(frame) {
  return NATIVE[data.frames.kind?.[frame]];
}

/** Where the code of a frame is; a library is called by the last part of its path. */
function placeOfFrame(frame) {
  const file = data.files[data.frames.file[frame]];
  if (!nativeKind(frame) || data.withoutFiles) return file;
  return file.slice(file.lastIndexOf("/") + 1) || "[anonymous]";
}

/** What the nodes of a frame have in common. */
function frameLabel(frame, byLine) {
  const file = data.files[data.frames.file[frame]];
  const line = data.frames.line[frame];
  const short = placeOfFrame(frame);
  const place = byLine && line > 0 ? `${short}:${line}` : short;
  return {
    name: data.functions[data.frames.function[frame]],
    place,
    file,
    line: byLine ? line : 0,
    origin: nativeKind(frame) ?? ORIGINS[data.origins[data.frames.file[frame]]],
    text: `${data.functions[data.frames.function[frame]]} (${place})`,
  };
}

function noteLabel(text) {
  return { name: text, place: "", file: "", line: 0, origin: "note", text };
}

class Tree {
  /** `byLine`: lines of a function are nodes of their own. `group`: none, thread, process. */
  constructor(byLine, group) {
    this.byLine = byLine;
    this.labels = [];
    this.labelNumbers = new Map();
    this.lookup = new Map();
    /** More than there are labels, so that a node and a label make one number. */
    this.mostLabels = data.frames.line.length + data.threads.length + data.processes.length + 8;
    this.root = this.newNode(null, this.labelNumber("all", () => noteLabel("all")));
    this.root.index = 0;
    this.nodes = [this.root];
    const memos = new Map();
    this.rowNodes = profile.rows.map((row) => {
      const base = this.groupNode(group, row.thread);
      if (!memos.has(base)) memos.set(base, new Map());
      return this.stackNode(row.stack, base, memos.get(base));
    });
    this.idle = this.noteNode("(idle)", profile.idle);
    this.failed = this.noteNode("(failed)", profile.failed);
    this.markOutermost();
  }

  newNode(parent, label) {
    const depth = parent ? parent.depth + 1 : 0;
    return { parent, label, depth, own: 0, total: 0, children: [], outermost: true };
  }

  labelNumber(key, make) {
    let number = this.labelNumbers.get(key);
    if (number === undefined) {
      number = this.labels.push(make()) - 1;
      this.labelNumbers.set(key, number);
    }
    return number;
  }

  child(parent, label) {
    const key = parent.index * this.mostLabels + label;
    let node = this.lookup.get(key);
    if (!node) {
      node = this.newNode(parent, label);
      node.index = this.nodes.push(node) - 1;
      parent.children.push(node);
      this.lookup.set(key, node);
    }
    return node;
  }

  groupNode(group, thread) {
    if (group === "thread") return this.note(`t${thread}`, () => threadName(thread));
    const process = data.threads[thread]?.process;
    if (group === "process") return this.note(`p${process}`, () => processName(process));
    return this.root;
  }

  note(key, text) {
    return this.child(this.root, this.labelNumber(key, () => noteLabel(text())));
  }

  noteNode(text, when) {
    return when.bins.length > 0 ? this.note(text, () => text) : null;
  }

  /** The node of a stack below `base`; `memo` holds those that are known. */
  stackNode(stack, base, memo) {
    const path = [];
    let next = stack;
    while (next >= 0 && !memo.has(next)) {
      path.push(next);
      next = profile.callers[next];
    }
    let node = next >= 0 ? memo.get(next) : base;
    for (const step of path.reverse()) {
      node = this.child(node, this.frameNumber(profile.leaves[step]));
      memo.set(step, node);
    }
    return node;
  }

  frameNumber(frame) {
    if (frame < 0) return this.labelNumber("(truncated)", () => noteLabel("(truncated)"));
    const { file, function: name } = data.frames;
    const key = this.byLine ? `f${frame}` : `f${file[frame]}/${name[frame]}${nativeKind(frame) ?? ""}`;
    return this.labelNumber(key, () => frameLabel(frame, this.byLine));
  }

  /** A function that calls itself counts once in a stack: where it is called first. */
  markOutermost() {
    for (const node of this.nodes) {
      for (let above = node.parent; above && node.outermost; above = above.parent) {
        if (above.label === node.label) node.outermost = false;
      }
    }
  }

  /** Counts the samples of a selection, as `weigh` made them. */
  weigh(weights) {
    for (const node of this.nodes) node.own = node.total = 0;
    this.rowNodes.forEach((node, row) => (node.own += weights.rows[row]));
    if (this.idle) this.idle.own += weights.idle;
    if (this.failed) this.failed.own += weights.failed;
    for (let at = this.nodes.length - 1; at >= 0; at--) {
      const node = this.nodes[at];
      node.total += node.own;
      if (node.parent) node.parent.total += node.total;
    }
    for (const node of this.nodes) node.children.sort((a, b) => b.total - a.total);
  }

  /** Own and total samples of each label, of those that have any. */
  sums() {
    const sums = this.labels.map((label) => ({ label, own: 0, total: 0 }));
    for (const node of this.nodes) {
      sums[node.label].own += node.own;
      if (node.outermost) sums[node.label].total += node.total;
    }
    return sums.filter((sum) => sum.total > 0 && sum.label.origin !== "note");
  }

  label(node) {
    return this.labels[node.label];
  }
}

