// A proxy as a Node developer builds it with Express. Started as: node express-app.js <port> <upstream URL>
import { Agent } from 'node:http';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';

const [port, target] = process.argv.slice(2);

const app = express();
app.disable('x-powered-by');
app.use(createProxyMiddleware({ target, agent: new Agent({ keepAlive: true }), xfwd: true }));
app.listen(Number(port), '127.0.0.1');
