// Connects, opens one more path by each interface, all at once, and prints the paths of the connection.
//
//   npm ci --ignore-scripts && node list_and_open.mjs HOST PORT INTERFACE...
//
// Requires CAP_NET_ADMIN, a route to the server by each interface, and a server that speaks Multipath
// TCP and sends as soon as it is connected.
import { once } from 'node:events';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { address, call, options, structs, SubflowsError } from './subflows.mjs';

function printError(error) {
  if (!(error instanceof SubflowsError)) throw error;
  console.error(`${error.message}\n${error.remedy}`);
  process.exitCode = 1;
}

async function printPaths(fd) {
  const room = 8;
  const paths = Array.from({ length: room }, () => ({}));
  const count = await call('list', fd, paths, room, koffi.sizeof(structs.subflow));
  for (const { id, local, remote, rtt_us } of paths.slice(0, count)) {
    console.log(`${id} ${address(local)} -> ${address(remote)}: ${rtt_us} us`);
  }
}

async function main(host, port, ...interfaces) {
  const fd = await call('connect', host, port, ...options('connect', { control: true }));
  const socket = new Socket({ fd });
  await once(socket, 'data'); // A first byte makes the connection ready for more paths.
  const open = (name) => call('open', fd, ...options('open', { interface: name }), null, 0);
  for (const { reason } of await Promise.allSettled(interfaces.map(open))) {
    if (reason) printError(reason);
  }
  await printPaths(fd);
  socket.destroy(); // Closes the descriptor.
}

if (process.argv.length < 4) {
  console.error('usage: node list_and_open.mjs HOST PORT INTERFACE...');
  process.exitCode = 1;
} else {
  await main(...process.argv.slice(2)).catch(printError);
}
