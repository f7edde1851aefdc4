import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { fail } from '../../errors.ts'

/** What the packer reads of a pyproject.toml; values of a wrong type count as absent. */
export interface Pyproject {
  readonly name?: string
  readonly version?: string
  readonly requiresPython?: string
  /** [project.dependencies]; undefined where the table does not name them. */
  readonly dependencies?: readonly string[]
  readonly optional: Readonly<Record<string, readonly string[]>>
  /** [tool.poetry.dependencies]. */
  readonly poetry?: Table
}

export type Table = Readonly<Record<string, unknown>>

/** @throws ZappError DEP_LOCK where the file is no TOML */
export function readPyproject(root: string): Pyproject | undefined {
  const whole = readToml(root, 'pyproject.toml')
  if (!whole) return undefined
  const project = table(whole.project)
  const poetry = table(table(whole.tool).poetry)
  const own = 'dependencies' in poetry ? { poetry: table(poetry.dependencies) } : {}
  const python = project['requires-python'] ?? own.poetry?.python
  return {
    ...text('name', project.name ?? poetry.name),
    ...text('version', project.version ?? poetry.version),
    ...text('requiresPython', python),
    ...(Array.isArray(project.dependencies) ? { dependencies: texts(project.dependencies) } : {}),
    optional: Object.fromEntries(
      Object.entries(table(project['optional-dependencies'])).map(([name, list]) => [name, texts(list)]),
    ),
    ...own,
  }
}

/** Undefined where there is no such file. @throws ZappError DEP_LOCK, IO */
export function readToml(root: string, file: string): Table | undefined {
  let content: string
  try {
    content = readFileSync(join(root, file), 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw fail('IO', file, { operation: 'reading it', reason: message }, error)
  }
  try {
    return parse(content)
  } catch (error) {
    const reason = (error as Error).message.split('\n', 1)[0] ?? ''
    throw fail('DEP_LOCK', file, { reason, todo: 'the tool that wrote it' }, error)
  }
}

export function table(value: unknown): Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {}
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function text<K extends string>(key: K, value: unknown): { readonly [P in K]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [key]: value } as { [P in K]: string }) : {}
}
