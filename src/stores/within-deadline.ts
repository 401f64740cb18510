import { StoreUnavailable } from './stores.ts';

/**
 * The answer, or StoreUnavailable where there is none within so many milliseconds: then whoever asked gives the connection up,
 * since the answer may still come.
 */
export async function withinDeadline<Answer>(answer: Promise<Answer>, ms: number, server: string): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = (): void => reject(new StoreUnavailable(`${server} did not answer within the deadline.`));
    timer = setTimeout(giveUp, Math.max(ms, 0));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined); // what comes later was told already
  }
}
