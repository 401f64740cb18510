import { Problem } from '../../errors/problem.ts';
import type { Exchange } from '../../exchange.ts';
import { type ParsedApiKey, parseApiKey } from '../../lib/api-key.ts';
import type { KeyWithConsumer } from '../../stores/stores.ts';
import { type AuthenticationOutcome, type CompiledMethod, defineMethod } from '../authentication-method.ts';
import { identityUnavailable } from '../identity-unavailable.ts';
import { apiKeyConfig } from './config.ts';
import { keyInHeader, keyInQuery, MORE_THAN_ONE } from './key-place.ts';
import { judgeKey, type PreparedKey, prepareKey, type Verdict } from './logic.ts';

/** Programs of consumers, by a key that was made for them. */
export const apiKeyMethod = defineMethod({
  name: 'apiKey',
  config: apiKeyConfig,
  compile(config, context): CompiledMethod {
    const place = config.in === 'query' ? keyInQuery(config.parameter) : keyInHeader(config.header);
    const { keys, reports } = context.identity;
    const environments = new Set(config.environments ?? ['live']);
    const { api } = context;
    const route = context.route === api ? api : `${api} ${context.route}`;
    // RFC 9110 §11.6.1: a 401 carries at least one challenge. The scheme is not a registered one; its parameters say where the key goes.
    const challenge = `ApiKey realm="${api}", ${place.parameter}`;
    const refusals = refusalsFor(`${challenge}, error="invalid_key"`);

    function authenticate(exchange: Exchange): AuthenticationOutcome | Promise<AuthenticationOutcome> {
      const text = place.read(exchange);
      if (text === undefined) return undefined;
      if (!config.passKey) place.conceal(exchange);
      if (text === MORE_THAN_ONE) return SEVERAL_KEYS;
      const shown = parseApiKey(text);
      if (shown === undefined) return refuse(exchange, 'malformed', undefined);
      if (!environments.has(shown.environment)) return refuse(exchange, 'other-environment', shown.id);
      const found = keys.find(shown.id);
      return found instanceof Promise
        ? found.then((key) => judge(exchange, shown, key), identityUnavailable)
        : judge(exchange, shown, found);
    }

    function judge(exchange: Exchange, shown: ParsedApiKey, found: KeyWithConsumer | undefined): AuthenticationOutcome {
      const prepared = found === undefined ? undefined : preparedKey(found);
      const now = Date.now();
      const { clientAddress } = exchange;
      const verdict = judgeKey(found, prepared, shown, { api, clientAddress, now });
      if (verdict === 'good' && prepared !== undefined) {
        reports.keyUsed({ id: shown.id, uses: 1, lastUsedAt: now, address: clientAddress, route });
        return prepared.principal;
      }
      // Only keys there are can be watched: unknown ids are as many as anybody likes.
      if (found !== undefined) reports.keyRefused(shown.id, clientAddress);
      return refuse(exchange, verdict, shown.id);
    }

    function refuse(exchange: Exchange, reason: Refusal, id: string | undefined): Problem {
      exchange.internalDetail = id === undefined ? `API key: ${reason}` : `API key ${id}: ${reason}`;
      return refusals[reason];
    }

    return {
      authenticate,
      challenge: () => challenge,
      ...(config.passKey ? {} : { conceal: place.conceal }),
    };
  },
});

type Refusal = Verdict | 'malformed';

/**
 * Whoever has not shown a good key is told the same, whatever is wrong. Whoever has is told that it does not count for this
 * API or from this address.
 */
function refusalsFor(challenge: string): Readonly<Record<Refusal, Problem>> {
  const invalid = new Problem('invalid-key', { headers: ['WWW-Authenticate', challenge] });
  return {
    malformed: invalid,
    unknown: invalid,
    'wrong-secret': invalid,
    'other-environment': invalid,
    revoked: invalid,
    expired: invalid,
    'consumer-disabled': invalid,
    'other-api': OTHER_API,
    'other-address': OTHER_ADDRESS,
    // Unreachable: a good key has its prepared form. Were it reached, the gate would stay shut.
    good: invalid,
  };
}

/** A key that is held is the same object for every request, on whichever route. */
function preparedKey(found: KeyWithConsumer): PreparedKey {
  const known = prepared.get(found);
  if (known !== undefined) return known;
  const made = prepareKey(found);
  prepared.set(found, made);
  return made;
}

const prepared = new WeakMap<KeyWithConsumer, PreparedKey>();

const SEVERAL_KEYS = new Problem('bad-request', { detail: 'The request shows more than one API key.' });
const OTHER_API = new Problem('forbidden', { detail: 'This API key does not open this API.' });
const OTHER_ADDRESS = new Problem('forbidden-address', { detail: 'This API key is not for use from this address.' });
