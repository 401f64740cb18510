import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AcmeManager, createAcmeManager, type PublishedChallenge } from '../certificates/acme.ts';
import { readCertificateFiles } from '../certificates/certificate-files.ts';
import type { Certificate } from '../certificates/certificate-pair.ts';
import { type DevCa, openDevCa } from '../certificates/dev-ca.ts';
import type { GatewayConfig, ListenerConfig } from '../config/schema.ts';
import type { Log } from '../observe/log.ts';
import { readClientRoots } from './client-roots.ts';
import type { Challenges, Materials } from './messages.ts';

export interface CertificateStoreEvents {
  /** An ACME server issued a certificate: the workers need new materials. */
  onIssued(): void;
  /** Settles when every worker answers these challenges. */
  onChallenges(challenges: Challenges): Promise<void>;
}

/** The certificates of every TLS listener, wherever they come from. Lives on the control plane. */
export class CertificateStore {
  readonly #log: Log;
  readonly #events: CertificateStoreEvents;
  readonly #acme = new Map<
    string,
    { readonly manager: AcmeManager; readonly key: string; certificate: Certificate | undefined }
  >();
  readonly #challenges = new Set<PublishedChallenge>();
  #devCa: DevCa | undefined;

  constructor(log: Log, events: CertificateStoreEvents) {
    this.#log = log;
    this.#events = events;
  }

  /** The development CA, where a listener serves a certificate of it. */
  get devCa(): DevCa | undefined {
    return this.#devCa;
  }

  /** When each certificate in service ends, by listener; for the metric. */
  expiries: ReadonlyMap<string, Date> = new Map();

  /** Reads what the listeners need. Rejects where a file cannot be served; nothing is changed then. */
  async materials(config: GatewayConfig): Promise<Materials> {
    const materials: Record<string, Materials[string]> = {};
    const expiries = new Map<string, Date>();
    for (const listener of config.listeners) {
      if (listener.tls === 'none') continue;
      const certificates = await this.#certificates(config, listener, listener.tls);
      expiries.set(
        listener.name,
        new Date(Math.min(...certificates.map((certificate) => certificate.notAfter.getTime()))),
      );
      materials[listener.name] = {
        certificates: certificates.map(({ cert, key, names }) => ({ cert, key, names })),
        clientCa:
          listener.tls.clientCa === undefined ? undefined : await readClientRoots(listener.name, listener.tls.clientCa),
        clientCertificates:
          listener.tls.clientCertificates ?? (listener.tls.clientCa === undefined ? 'none' : 'required'),
        minVersion: listener.tls.minVersion,
      };
    }
    this.expiries = expiries;
    return materials;
  }

  /** Starts, keeps and ends ACME managers so that they fit the configuration now in force. */
  async follow(config: GatewayConfig): Promise<void> {
    const wanted = new Map(
      config.listeners.flatMap((listener) =>
        listener.tls !== 'none' && listener.tls.acme ? [[listener.name, listener.tls.acme] as const] : [],
      ),
    );
    for (const [name, running] of this.#acme) {
      if (running.key === JSON.stringify(wanted.get(name))) continue;
      this.#acme.delete(name);
      await running.manager.close();
    }
    for (const [name, acme] of wanted) {
      if (this.#acme.has(name)) continue;
      const manager = createAcmeManager({
        directory: join(config.dataDir, 'acme'),
        domains: acme.domains,
        email: acme.email,
        challenge: acme.challenge,
        directoryUrl: acme.directory,
        ca: acme.ca === undefined ? undefined : await readFile(acme.ca, 'utf8'),
        log: this.#log,
        publish: {
          publishCertificate: (certificate) => {
            const entry = this.#acme.get(name);
            if (entry === undefined) return;
            entry.certificate = certificate;
            this.#events.onIssued();
          },
          publishChallenge: (challenge) => {
            this.#challenges.add(challenge);
            return this.#events.onChallenges(this.challenges());
          },
          retractChallenge: (challenge) => {
            this.#challenges.delete(challenge);
            return this.#events.onChallenges(this.challenges());
          },
        },
      });
      this.#acme.set(name, { manager, key: JSON.stringify(acme), certificate: undefined });
      manager.start();
    }
  }

  /** What is to be answered for ACME at this moment. */
  challenges(): Challenges {
    const http: Record<string, string> = {};
    const alpn: { domain: string; cert: string; key: string }[] = [];
    for (const challenge of this.#challenges) {
      if (challenge.type === 'http-01') http[challenge.token] = challenge.keyAuthorization;
      else alpn.push({ domain: challenge.domain, cert: challenge.cert, key: challenge.key });
    }
    return { http, alpn };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#acme.values()].map(({ manager }) => manager.close()));
  }

  /** The configured ones; else the one ACME issued; else one of the development CA, so that the listener can open. */
  async #certificates(
    config: GatewayConfig,
    listener: ListenerConfig,
    tls: Exclude<ListenerConfig['tls'], 'none'>,
  ): Promise<readonly Certificate[]> {
    const fromFiles: Certificate[] = [];
    for (const paths of tls.certificates) {
      const { warnings, ...certificate } = await readCertificateFiles(paths);
      for (const warning of warnings)
        this.#log.warn({ listener: listener.name, ...warning }, 'a certificate needs attention');
      fromFiles.push(certificate);
    }
    if (fromFiles.length > 0) return fromFiles;
    const issued = this.#acme.get(listener.name)?.certificate;
    if (issued !== undefined) return [issued];
    this.#devCa ??= await openDevCa(join(config.dataDir, 'dev-ca'));
    return [await this.#devCa.issue(hostsOf(config, listener))];
  }
}

/** Session ticket keys (RFC 5077): one set for all workers, so that a session can be resumed on any of them. */
export class TicketKeys {
  readonly #life: number;
  #keys = randomBytes(48);
  #madeAt = Date.now();

  /** Keys are made anew when they are asked for after this time, in milliseconds. */
  constructor(life: number) {
    this.#life = life;
  }

  current(): Uint8Array {
    if (Date.now() - this.#madeAt >= this.#life) {
      this.#keys = randomBytes(48);
      this.#madeAt = Date.now();
    }
    return this.#keys;
  }
}

function hostsOf(config: GatewayConfig, listener: ListenerConfig): string[] {
  return [...new Set(config.apis.filter((api) => api.listeners.includes(listener.name)).flatMap((api) => api.hosts))];
}
