/** One source file, by its place in the house. */
export interface ModuleFile {
  /** Relative to the root, with forward slashes: `src/policies/cors/logic.ts`. */
  readonly path: string;
  /** The folder of src/ it lives in, or its own name where it lies directly in src/; undefined outside of src/. */
  readonly room: string | undefined;
  /** The folder of src/policies/ it lives in. */
  readonly policy: string | undefined;
  readonly isTest: boolean;
}

export function moduleFile(path: string): ModuleFile {
  const steps = path.split('/');
  const inSource = steps[0] === 'src' && steps.length > 1;
  return {
    path,
    room: inSource ? steps[1] : undefined,
    policy: inSource && steps[1] === 'policies' && steps.length > 3 ? steps[2] : undefined,
    isTest: path.endsWith('.test.ts'),
  };
}
