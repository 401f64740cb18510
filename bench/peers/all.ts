import { express } from './express.ts';
import { fastify } from './fastify.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';
import { sallyport, sallyportDefaults } from './sallyport.ts';

/** In the order of the tables; nginx first, it is the measure of the ratios. */
export const peers: readonly Peer[] = [nginx, haproxy, sallyport, sallyportDefaults, express, fastify];
