import { Problem } from '../../errors/problem.ts';
import type { Exchange } from '../../exchange.ts';
import { formatByteSize } from '../../lib/byte-size.ts';
import { definePolicy } from '../policy.ts';
import { type RequestLimitsConfig, requestLimitsConfig } from './config.ts';
import { type BrokenLimit, requestLimits } from './logic.ts';

/** Refuses requests by their size and shape, before anything is spent on them. On by default. */
export const requestLimitsPolicy = definePolicy({
  name: 'requestLimits',
  phase: 'receive',
  config: requestLimitsConfig,
  onByDefault: () => true,
  compile(config) {
    const brokenLimit = requestLimits(config);
    const problems = problemsOf(config);

    function checkLimits(exchange: Exchange): Problem | undefined {
      // A chunked body tells its size only as it comes: it is cut off when it passes this.
      exchange.bodyLimit = config.bodyBytes;
      const broken = brokenLimit({
        method: exchange.method,
        target: exchange.target,
        bodyLength: exchange.bodyLength,
        contentEncoding: exchange.headers.all('content-encoding'),
      });
      return broken === undefined ? undefined : problems[broken];
    }

    return { request: checkLimits };
  },
});

function problemsOf(config: RequestLimitsConfig): Readonly<Record<BrokenLimit, Problem>> {
  const codings = config.contentEncodings;
  return {
    'target-length': new Problem('target-too-long', {
      detail: `Path and query may have ${formatByteSize(config.targetBytes)} together.`,
    }),
    'encoded-delimiter': new Problem('ambiguous-target', {
      detail: 'The path holds an encoded delimiter, which this service does not take.',
    }),
    // RFC 9110 §15.5.6: a 405 lists what is allowed.
    method: new Problem('method-not-allowed', { headers: ['Allow', (config.methods ?? []).join(', ')] }),
    // RFC 9110 §15.5.16: a 415 for the coding lists the codings that are taken.
    'content-encoding': new Problem('unsupported-encoding', {
      detail: `The body may have one content coding at most${codings.length === 0 ? ': identity' : `, of ${codings.join(', ')}`}.`,
      headers: ['Accept-Encoding', codings.length === 0 ? 'identity' : codings.join(', ')],
    }),
    'body-length': new Problem('body-too-large', { detail: `The body may have ${formatByteSize(config.bodyBytes)}.` }),
  };
}
