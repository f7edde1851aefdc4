import type { Variables } from './environment.ts'

/** What the placeholders of a command stand for. */
export interface CommandValues {
  readonly node: string
  readonly python: string | undefined
  /** Absolute paths by name. */
  readonly data: ReadonlyMap<string, string>
  readonly config: Variables
}

const PLACEHOLDER = /\{(node|python|(data|config)\.([A-Za-z0-9._-]+))\}/g

/** The arguments of a command with their placeholders replaced, FORMAT.md §Commands; a value that is not set is empty. */
export function fillCommand(run: readonly string[], values: CommandValues): string[] {
  return run.map((argument) =>
    argument.replace(PLACEHOLDER, (_, what: string, kind?: 'data' | 'config', name = '') => {
      if (kind) return values[kind].get(name) ?? ''
      return (what === 'node' ? values.node : values.python) ?? ''
    }),
  )
}

/** Whether a command needs the runtime of Python. */
export function usesPython(run: readonly string[]): boolean {
  return run.some((argument) => argument.includes('{python}'))
}
