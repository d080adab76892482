// Compares how koffi lays out the structs of subflows_ffi.h with abi.txt: layout.mjs EXAMPLE ABI
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [example, abi] = process.argv.slice(2);
const koffi = createRequire(example)('koffi');
const { constants, structs } = await import(example);
const ends = {};
let name;
let numbers = 0;
for (const line of readFileSync(abi, 'utf8').split('\n')) {
  const words = line.trim().split(/ +/);
  if (words[0] === 'struct') {
    name = words[1].replace('subflows_', '');
  } else if (words[0] === 'constant') {
    assert.equal(constants[words[1]], Number(words[2]), words[1]);
    numbers++;
  } else if (/^\d/.test(words[0])) {
    assert.equal(koffi.offsetof(structs[name], words[3]), Number(words[0]), `${name}.${words[3]}`);
    ends[name] = Number(words[0]) + Number(words[1]);
  }
}
for (const [name, end] of Object.entries(ends)) assert.equal(koffi.sizeof(structs[name]), end, name);
assert(Object.keys(ends).length > 12 && numbers > 50);
