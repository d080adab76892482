// libsubflows for Node, by koffi: declares what subflows_ffi.h declares, and calls every function in a
// thread of koffi's, so that the event loop goes on.
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import koffi from 'koffi';

const header = readFileSync(process.env.SUBFLOWS_FFI_H ?? '/usr/local/include/subflows_ffi.h', 'utf8');
const library = koffi.load('libsubflows.so.0');

/** The structs by their names without `subflows_`: for koffi.sizeof() and koffi.decode(). */
export const structs = {};
/** The constants: SUBFLOWS_E_NOT_READY. */
export const constants = {};
const functions = {};

/** The members of a struct as koffi takes them: `char message[1024]` is a text. */
function fields(members) {
  const lines = [...members.matchAll(/^\s*(.*?)(\w+)(?:\[(\d+)\])?;/gm)];
  return Object.fromEntries(lines.map(([, declared, name, length]) => {
    const type = declared.replace(/\b(struct|const)\b/g, '').trim();
    const hint = type === 'char' ? 'String' : 'Typed';
    return [name, length ? koffi.array(type, Number(length), hint) : type];
  }));
}

/** A prototype as koffi takes it: the library fills structs that are not constant, except handles. */
function prototype(declaration) {
  const marked = declaration.replace(/([(,]\s*)struct subflows_(\w+) (\*+)/g, (_, before, name, stars) => {
    const isFilled = stars === '**' || name in structs;
    return `${before}${isFilled ? '_Out_ ' : ''}subflows_${name} ${stars}`;
  });
  return marked.replace(/\bstruct |;/g, '');
}

for (const declaration of header.replace(/\/\*.*?\*\//gs, '').match(/[^;{]+(\{.*?\})?\s*;/gs)) {
  const struct = declaration.match(/^\s*struct subflows_(\w+)\s*(?:\{(.*)\})?;/s);
  const named = declaration.match(/^\s*int subflows_(\w+)_e\(/);
  if (struct?.[2]) structs[struct[1]] = koffi.struct(`subflows_${struct[1]}`, fields(struct[2]));
  else if (struct) koffi.opaque(`subflows_${struct[1]}`);
  else if (named) functions[named[1]] = promisify(library.func(prototype(declaration.trim())).async);
}
for (const [, name, number] of header.matchAll(/^  (SUBFLOWS_\w+) = (\d+)/gm)) {
  constants[name] = Number(number);
}

/** What failed, why, and what to do about it. */
export class SubflowsError extends Error {
  constructor({ message, remedy, kind, number }) {
    super(message);
    Object.assign(this, { name: 'SubflowsError', remedy, kind, number });
  }
}

/** Calls subflows_NAME_e(), which copies its failure: koffi makes each call in some thread of its own. */
export async function call(name, ...given) {
  const failure = {};
  const result = await functions[name](...given, failure, koffi.sizeof(structs.failure));
  if (result < 0) throw new SubflowsError(failure);
  return result;
}

/** The options and their size. */
export function options(name, members) {
  return [members, koffi.sizeof(structs[`${name}_options`])];
}

/** HOST:PORT of a struct sockaddr_storage. */
export function address({ ss_family: family, ss_data: data }) {
  const port = data[0] * 256 + data[1];
  if (family === 2) return `${data.slice(2, 6).join('.')}:${port}`;
  const group = (at) => (data[at] * 256 + data[at + 1]).toString(16);
  const groups = [6, 8, 10, 12, 14, 16, 18, 20].map(group);
  // A URL has the short form of an IPv6 address, in brackets.
  return `${new URL(`http://[${groups.join(':')}]`).hostname}:${port}`;
}
