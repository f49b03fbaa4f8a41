// The models behind the panels of Chrome's developer tools.

import fs from 'node:fs';
import { CPUProfileDataModel } from '@paulirish/trace_engine/models/cpu_profile/cpu_profile.js';
import * as Trace from '@paulirish/trace_engine/models/trace/trace.js';
import { Thread } from './profiles.mjs';

/// The CPU profile as one thread.
export function cpuprofile(file) {
  const profile = JSON.parse(fs.readFileSync(file, 'utf8'));
  const model = new CPUProfileDataModel.CPUProfileDataModel(profile);
  const all = new Thread(null);
  const visit = node => {
    all.add(node.functionName, node.total, node.self);
    node.children.forEach(visit);
  };
  visit(model.profileHead);
  return { threads: [all] };
}

/// The threads of a trace, from the calls that its events were joined to.
export async function trace(file) {
  const model = Trace.TraceModel.Model.createWithAllHandlers();
  await model.parse(JSON.parse(fs.readFileSync(file, 'utf8')).traceEvents);
  const { Meta, Renderer } = model.parsedTrace().data;
  const threads = [];
  for (const [pid, process] of Renderer.processes) {
    const owner = Meta.processNames.get(pid).args.name;
    for (const found of process.threads.values()) {
      const thread = new Thread(`${owner}: ${found.name}`);
      const innermost = node => node.children.reduce((time, child) => time - child.entry.dur, node.entry.dur);
      const visit = node => {
        thread.add(node.entry.name, node.entry.dur / 1000, innermost(node) / 1000);
        node.children.forEach(visit);
      };
      found.tree.roots.forEach(visit);
      threads.push(thread);
    }
  }
  return { threads };
}
