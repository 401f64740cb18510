import type { InitPlan } from './init-plan.ts';

/** The text of a first configuration file: small, commented, and safe as it is. `schema` is a path or URL for editors. */
export function configText(plan: InitPlan, schema: string): string {
  const api = [
    `  - name: ${quote(plan.name)}`,
    ...(plan.host === undefined
      ? ['    # hosts: [api.example.com]     # the hosts it answers to; left out, any']
      : [`    hosts: [${quote(plan.host)}]`]),
    `    path: ${quote(plan.path)}`,
    ...(plan.rewrite === undefined
      ? []
      : [`    rewrite: ${quote(plan.rewrite)} # what the upstream sees instead of that path`]),
    `    upstream: ${quote(plan.target)}`,
    '    # Anyone may call. A public API has to say so, or the file does not load.',
    '    authenticate: none',
    '    # cors:                        # scripts of these origins may read the replies; left out, none',
    '    #   origins: [https://app.example.com]',
    '    # requestLimits:               # on anyway, with 10MiB',
    '    #   bodyBytes: 1MiB',
  ];
  return `# yaml-language-server: $schema=${schema}
# ${plan.title} behind Sallyport.
# Try it:    sallyport start
# Judge it:  sallyport check
# Ask it:    sallyport explain GET ${plan.path}

listeners:
  # What clients see. No certificate is named, so one of a local development CA is served.
  # For the world: address 0.0.0.0:443, and tls with \`certificates\` or \`acme\`.
  - name: public
    address: 127.0.0.1:8443
    # redirectHttpFrom: 127.0.0.1:8080

  # What operators see: /metrics, /healthz and /readyz. Plain text will do: only this machine can reach it.
  - name: internal
    exposure: internal
    address: 127.0.0.1:9443
    tls: none

apis:
${api.join('\n')}
`;
}

/** A YAML double-quoted scalar takes every JSON string; plain where nothing in it can be misread. */
function quote(text: string): string {
  return /^[a-z/][a-z0-9/._-]*$/.test(text) && !MISREAD.has(text) ? text : JSON.stringify(text);
}

/** Words that YAML 1.1 or 1.2 readers take for something other than text. */
const MISREAD: ReadonlySet<string> = new Set(['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n']);
