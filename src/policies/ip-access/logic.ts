import { canonicalAddress, compileCidrs } from '../../lib/cidr.ts';
import type { IpAccessConfig } from './config.ts';

/** Makes the rule of one configuration: whether a client address may call. What cannot be read as an address may not. */
export function accessRule(config: IpAccessConfig): (clientAddress: string) => boolean {
  const isDenied = compileCidrs(config.deny);
  const isAllowed = config.allow === undefined ? () => true : compileCidrs(config.allow);
  return function mayCall(clientAddress) {
    const address = canonicalAddress(clientAddress);
    return address !== undefined && !isDenied(address) && isAllowed(address);
  };
}
