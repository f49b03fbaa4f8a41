// Schemas that the programs' authors publish.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv';

const { resolve } = createRequire(import.meta.url);
const load = file => JSON.parse(fs.readFileSync(file, 'utf8'));

/// speedscope's own.
export function speedscope(file) {
  check(load(resolve('speedscope/dist/release/file-format-schema.json')), load(file));
}

/// The types of the protocol that Chrome's developer tools speak.
export function cpuprofile(file) {
  const { domains } = load(resolve('devtools-protocol/json/js_protocol.json'));
  const definitions = {};
  for (const { domain, types = [] } of domains) {
    types.forEach(type => (definitions[`${domain}.${type.id}`] = schema(domain, type)));
  }
  check({ definitions, $ref: '#/definitions/Profiler.Profile' }, load(file));
}

/// A type of the protocol as a JSON schema.
function schema(domain, { type, $ref, items, properties, enum: values }) {
  if ($ref) {
    return { $ref: `#/definitions/${$ref.includes('.') ? $ref : `${domain}.${$ref}`}` };
  }
  const made = type === 'any' ? {} : { type };
  if (items) {
    made.items = schema(domain, items);
  }
  if (values) {
    made.enum = values;
  }
  if (properties) {
    made.properties = Object.fromEntries(properties.map(each => [each.name, schema(domain, each)]));
    made.required = properties.filter(each => !each.optional).map(each => each.name);
  }
  return made;
}

function check(wanted, document) {
  const ajv = new Ajv({ strict: false, allErrors: false });
  if (!ajv.validate(wanted, document)) {
    throw new Error(ajv.errorsText());
  }
}
