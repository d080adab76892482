// Handles in Node, in whose threads no call follows another, and the event loop during a call that
// waits: handles.mjs EXAMPLE HOST PORT INTERFACE
import assert from 'node:assert';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';

const [example, host, port, name] = process.argv.slice(2);
const koffi = createRequire(example)('koffi');
const { call, constants, options, structs, SubflowsError } = await import(example);
const size = koffi.sizeof(structs.event);

const fd = await call('connect', host, port, ...options('connect', { control: true }));
const socket = new Socket({ fd });
await once(socket, 'data');
const events = [null];
await call('events', fd, events);

let ticks = 0;
const timer = setInterval(() => ticks++, 5);
assert.equal(await call('events_next', events[0], {}, size, 300), 0);
assert(ticks > 10, `the event loop turned ${ticks} times in 300 ms`);
clearInterval(timer);

// Both wait at the same time: the event comes when the path is open.
const established = (async () => {
  const event = {};
  while (event.kind !== constants.SUBFLOWS_EVENT_KIND_SUBFLOW_ESTABLISHED) {
    assert.equal(await call('events_next', events[0], event, size, 30_000), 1);
  }
})();
const opening = [null];
await call('opening_begin', fd, ...options('open', { interface: name }), opening);
const subflow = {};
while (await call('opening_advance', opening[0], subflow, koffi.sizeof(structs.subflow)) === 0) {
  assert(await call('opening_fd', opening[0]) >= 0);
}
assert.equal(subflow.state, constants.SUBFLOWS_SUBFLOW_STATE_ESTABLISHED);
await established;
await assert.rejects(call('opening_advance', opening[0], null, 0),
  (error) => error instanceof SubflowsError && error.kind === constants.SUBFLOWS_E_INVALID_STATE);

const library = koffi.load('libsubflows.so.0');
library.func('void subflows_opening_cancel(subflows_opening *opening)')(opening[0]);
library.func('void subflows_events_close(subflows_events *events)')(events[0]);
socket.destroy();
