import { z } from 'zod';
// In a project of your own: from 'sallyport'.
import { defineConfig, definePolicy, type Exchange, Problem } from '../../src/index.ts';

/** Keeps an API closed to those who do not know the name of the current beta: a policy as one writes it for oneself. */
const betaOnly = definePolicy({
  name: 'betaOnly',
  phase: 'admit',
  config: z.strictObject({
    header: z
      .string()
      .regex(/^[a-z0-9-]+$/)
      .default('x-beta')
      .describe('The header field that names the beta, in lower case.'),
    name: z.string().min(1).describe('What it must say.'),
  }),
  compile(config) {
    // Made once, when the file is loaded: a flood of refusals costs nothing but the look at the header.
    const refusal = new Problem('no-route', { internal: `the field ${config.header} does not name the beta` });

    function admitBetaTesters(exchange: Exchange): Problem | undefined {
      const named = exchange.headers.all(config.header);
      return named.length === 1 && named[0] === config.name ? undefined : refusal;
    }

    return { request: admitBetaTesters };
  },
});

export default defineConfig({
  listeners: [{ name: 'public', address: '127.0.0.1:8443' }],
  apis: [
    {
      name: 'widgets',
      path: '/v1',
      rewrite: '/',
      upstream: 'http://127.0.0.1:4000',
      authenticate: 'none',
      policies: { betaOnly: { name: 'autumn' } },
      routes: [{ name: 'list', match: 'GET /widgets', policies: { betaOnly: false } }],
    },
  ],
  policies: [betaOnly],
});
