import { hash } from 'node:crypto';

/** A script that the server runs in one step; it is sent by its digest where the server knows it already. */
export interface Script {
  readonly text: string;
  readonly digest: string;
}

/** Counts one more and answers the count and its end in milliseconds, by the clock of the server: all gateways share it. */
export const increment = script(`
local count = redis.call('INCR', KEYS[1])
local left = count > 1 and redis.call('PTTL', KEYS[1]) or -1
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
local time = redis.call('TIME')
return { count, time[1] * 1000 + math.floor(time[2] / 1000) + left }`);

/** The count and its end; zeros where there is none. */
export const read = script(`
local count = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if not count or left < 0 then return { 0, 0 } end
local time = redis.call('TIME')
return { tonumber(count), time[1] * 1000 + math.floor(time[2] / 1000) + left }`);

function script(text: string): Script {
  return { text, digest: hash('sha1', text, 'hex') };
}
