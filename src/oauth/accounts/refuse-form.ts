import { messageScreen } from '../screens/failure.ts';
import type { Desk } from './desk.ts';
import type { ReadForm } from './form-guard.ts';
import { showScreen, type Visit } from './visit.ts';

/** Answers a form that no page of ours sent, or not to this place. Nothing was changed. */
export function refuseForm(desk: Desk, visit: Visit, refused: NonNullable<ReadForm['refused']>): void {
  const answer = ANSWERS[refused];
  showScreen(visit, messageScreen(desk.look, { title: 'This form was not taken', text: answer.text }), {
    status: answer.status,
  });
  if (refused === 'too-large') visit.res.once('finish', () => visit.req.destroy());
}

const ANSWERS: Readonly<Record<NonNullable<ReadForm['refused']>, { readonly status: number; readonly text: string }>> =
  {
    forged: {
      status: 403,
      text: 'It did not come from a page of ours in this browser. Go back, load the page anew and try again.',
    },
    'too-large': { status: 413, text: 'It is larger than any form of ours.' },
    malformed: {
      status: 400,
      text: 'It is none that a page of ours sends. Go back, load the page anew and try again.',
    },
  };
