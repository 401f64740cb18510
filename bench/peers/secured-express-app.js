// A secured proxy as a Node developer builds it with Express. Started as: node secured-express-app.js <port> <upstream URL> <job as JSON>
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import cors from 'cors';
import express from 'express';
import helmet from 'helmet';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { createLocalJWKSet, jwtVerify } from 'jose';
import morgan from 'morgan';

const [port, target, job] = process.argv.slice(2);
const { issuer, audience, jwksFile } = JSON.parse(job);
const keys = createLocalJWKSet(JSON.parse(readFileSync(jwksFile, 'utf8')));

const app = express();
app.disable('x-powered-by');
app.use(morgan('combined'));
app.use(helmet());
app.use(cors({ origin: 'https://app.example.com' }));
app.use(async (request, response, next) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  try {
    if (scheme !== 'Bearer') throw new Error('no token');
    await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256'] });
    next();
  } catch {
    response.status(401).set('WWW-Authenticate', 'Bearer error="invalid_token"').json({ error: 'invalid_token' });
  }
});
app.use(createProxyMiddleware({ target, agent: new Agent({ keepAlive: true }), xfwd: true }));
app.listen(Number(port), '127.0.0.1');
