import type { Variables } from './environment.ts'

/**
 * The environment of a process of its own, FORMAT.md §Needs: what is listed there and nothing else of ours.
 *
 * @param home the data root
 * @param variables in the order in which they win: the last
 */
export function childEnvironment(home: string, ...variables: readonly Variables[]): Record<string, string> {
  const { PATH, TZ } = process.env
  const environment = new Map<string, string | undefined>([
    ['PATH', PATH],
    ['HOME', home],
    ['TZ', TZ],
    ['LANG', 'C.UTF-8'],
    ['NODE_ENV', 'production'],
  ])
  for (const [name, value] of variables.flatMap((map) => [...map])) {
    if (value !== undefined) environment.set(name, value)
  }
  return Object.fromEntries([...environment].filter((pair): pair is [string, string] => pair[1] !== undefined))
}
