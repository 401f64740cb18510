// A secured proxy as a Node developer builds it with Fastify. Started as: node secured-fastify-app.js <port> <upstream URL> <job as JSON> <cache: on|off>
import { readFileSync } from 'node:fs';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import httpProxy from '@fastify/http-proxy';
import jwt from '@fastify/jwt';
import Fastify from 'fastify';

const [port, upstream, job, cache] = process.argv.slice(2);
const { issuer, audience, publicKeyFile } = JSON.parse(job);

// By itself the logger writes two lines a request; one, like everyone else's, is the same job.
const app = Fastify({ logger: true, disableRequestLogging: true });
app.addHook('onResponse', async (request, reply) => {
  request.log.info({ req: request, res: reply, responseTime: reply.elapsedTime }, 'request completed');
});
await app.register(helmet);
await app.register(cors, { origin: 'https://app.example.com' });
await app.register(jwt, {
  secret: { public: readFileSync(publicKeyFile, 'utf8') },
  verify: { allowedIss: issuer, allowedAud: audience, algorithms: ['RS256'], cache: cache === 'on' },
});
app.addHook('onRequest', async (request, reply) => {
  try {
    await request.jwtVerify();
  } catch {
    // By itself it answers 500 to some tokens, such as one of another algorithm.
    return reply.code(401).header('WWW-Authenticate', 'Bearer error="invalid_token"').send({ error: 'invalid_token' });
  }
});
await app.register(httpProxy, {
  upstream,
  httpMethods: ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'], // @fastify/cors answers OPTIONS
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      'x-forwarded-for': request.ip,
      'x-forwarded-proto': request.protocol,
    }),
  },
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
