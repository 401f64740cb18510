import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testExchange } from '../policies/test-exchange.ts';
import { SeriesTable } from './series-table.ts';

const routes = [undefined, { api: 'widgets', name: 'list' }, { api: 'widgets', name: 'one' }];
const requests = fc.array(
  fc.record({
    route: fc.constantFrom(...routes),
    listener: fc.constantFrom('public', 'internal'),
    method: fc.constantFrom('GET', 'HEAD', 'QUERY', 'BREW', 'get', 'OTHER'),
    status: fc.oneof(fc.constant(0), fc.constantFrom(200, 204, 404), fc.integer({ min: 100, max: 999 })),
  }),
  { maxLength: 100 },
);

test('each request is counted under its own labels and no other', () => {
  fc.assert(
    fc.property(requests, (given) => {
      const table = new SeriesTable();
      for (const { route, listener, method, status } of given) {
        const exchange = testExchange({ method, listener: { name: listener, exposure: 'public' } });
        exchange.route = route;
        const series = table.find(exchange, status);
        assert.deepEqual(series.labels, {
          listener,
          api: route?.api ?? '-',
          route: route?.name ?? '-',
          method: ['GET', 'HEAD', 'QUERY'].includes(method) ? method : 'OTHER',
          status: String(status),
        });
        assert.equal(table.find(exchange, status), series);
      }
      const labels = [...table.all()].map((series) => JSON.stringify(series.labels));
      assert.equal(new Set(labels).size, labels.length);
    }),
  );
});

test('a route with very many statuses counts further ones by their class', () => {
  const table = new SeriesTable();
  const exchange = testExchange();
  for (let status = 100; status < 1000; status += 1) table.find(exchange, status);
  const late = table.find(exchange, 777);
  assert.equal(late.labels.status, '7xx');
  assert.equal(table.find(exchange, 778), late);
  assert.equal(table.find(exchange, 100).labels.status, '100');
});
