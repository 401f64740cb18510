/** A variable of the environment. One that is empty is as good as none, as it is in references of the configuration. */
export function variable(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env[name] || undefined;
}
