// Serves by Node's http on the listener that socket activation passed. Sends back what it gets.
//
//     python3 activate.py 0.0.0.0 8080 node server.mjs
import http from 'node:http';

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => response.end(Buffer.concat(chunks)));
});
// Node's default of 5 s is about as short as the pause of a connection that has lost a path.
server.keepAliveTimeout = 60_000;
server.listen({ fd: 3 });
