import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { startLoginExample } from './app.ts';

/** Runs the app, and the gateway before it, until Ctrl-C. The secret they share between client and server is new each time. */
const root = join(import.meta.dirname, '../..');
const port = process.env['LOGIN_PORT'] ?? '8443';
const dataDir = process.env['LOGIN_DATA_DIR'] ?? join(import.meta.dirname, '.sallyport');
const main = join(root, 'src/main.ts');

const app = await startLoginExample({ port: 0 });
const gateway = spawn(process.execPath, [main, 'start', '--config', join(import.meta.dirname, 'sallyport.yaml')], {
  stdio: 'inherit',
  env: { ...process.env, NOTES_APP: app.url, NOTES_CLIENT_SECRET: randomBytes(32).toString('base64url') },
  detached: true, // Ctrl-C reaches it through the signal below, and it finishes what it is doing
});
process.on('exit', () => gateway.kill('SIGKILL'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => gateway.kill('SIGTERM'));

console.log(`
The app will be at https://localhost:${port}. It needs somebody to sign in; make an account in another terminal:

  npx node ${main} users create ada --claims '{"name":"Ada"}' --data-dir ${dataDir}

Your browser does not know the development CA: import ${join(dataDir, 'dev-ca/ca.pem')}, or accept its warning.
`);
await once(gateway, 'exit');
await app.close();
process.exitCode = gateway.exitCode ?? 1;
