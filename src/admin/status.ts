import { plainAction } from './action.ts';
import { replyJson } from './admin-reply.ts';

export const showStatus = plainAction(async ({ services }) => replyJson(200, services.status()));
