// A proxy as a Node developer builds it with Fastify. Started as: node fastify-app.js <port> <upstream URL>
import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [port, upstream] = process.argv.slice(2);

// The plugin's own client is an undici pool that keeps up to 128 connections alive; that is its default.
const app = Fastify();
await app.register(httpProxy, {
  upstream,
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      'x-forwarded-for': request.ip,
      'x-forwarded-proto': request.protocol,
    }),
  },
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
