/** The public library surface: what a `sallyport.config.ts` and custom policies are written with. */
export { defineConfig } from './config/define-config.ts';
export type { ProblemCode } from './errors/catalogue.ts';
export { type Blame, type Occurrence, Problem } from './errors/problem.ts';
export { type Exchange, type Exposure, type Principal, Reply, type ReplyStream } from './exchange.ts';
export { HeaderList } from './lib/header-list.ts';
export {
  type CompileContext,
  type CompiledPolicy,
  definePolicy,
  type Fact,
  type Phase,
  type PolicyDefinition,
  type ReplyHook,
  type RequestHook,
} from './policies/policy.ts';
