import { type Exchange, Reply } from '../../exchange.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { definePolicy } from '../policy.ts';
import { corsConfig } from './config.ts';
import { corsRules, isPreflight, writeCorsFields } from './logic.ts';

/** Tells browsers which other origins may use an API (WHATWG Fetch, "HTTP CORS protocol"). */
export const corsPolicy = definePolicy({
  name: 'cors',
  phase: 'admit',
  config: corsConfig,
  compile(config) {
    const rules = corsRules(config);

    /** Preflights end here: they carry no credentials, so nothing behind this policy could judge them (attack 53). */
    function answerPreflight(exchange: Exchange): Reply | undefined {
      if (!isPreflight(exchange.method, exchange.headers)) return undefined;
      return new Reply(204, new HeaderList([]), undefined, 'gateway');
    }

    /** Runs on every reply, problems included: without it a script could not tell a 401 from a broken network. */
    function shareReply(exchange: Exchange, reply: Reply): void {
      const preflight = isPreflight(exchange.method, exchange.headers);
      writeCorsFields(rules, { headers: exchange.headers, preflight }, reply.headers);
    }

    return { request: answerPreflight, reply: shareReply };
  },
});
