import { Agent } from 'node:http';
import { type Answered, ask, type Call } from './http-client.ts';

export interface Load {
  /** Requests that were answered in full so far. */
  readonly answered: number;
  /** The first failures, in words. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Sends requests over keep-alive connections, each as soon as the one before is answered, until told to stop. `judge` names what is wrong with a reply. */
export function startLoad(call: Call, connections: number, judge: (reply: Answered) => string | undefined): Load {
  let running = true;
  let answered = 0;
  const failures: string[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: connections });

  async function client(): Promise<void> {
    while (running && failures.length < 10) {
      try {
        const wrong = judge(await ask({ ...call, agent }));
        if (wrong === undefined) answered += 1;
        else failures.push(wrong);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  }

  const clients = Array.from({ length: connections }, client);
  return {
    get answered() {
      return answered;
    },
    failures,
    async stop() {
      running = false;
      await Promise.all(clients);
      agent.destroy();
    },
  };
}
