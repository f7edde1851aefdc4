import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const GUIDES = join(import.meta.dirname, '../../../docs/guides')

export interface Guide {
  /** The project's files by path: every code block that is marked with a path but zapp.json. */
  readonly files: Readonly<Record<string, string>>
  /** Commands before "What to type": they install. */
  readonly install: readonly string[]
  /** Commands under "What to type". */
  readonly commands: readonly string[]
  /** The manifest that is said to be found. */
  readonly manifest: unknown
  /** What the archive is said to hold: the first word of each line. */
  readonly holds: readonly string[]
}

/** Takes a guide apart. Its code blocks are the test: what it tells to type is typed, what it says is compared. */
export function readGuide(name: string): Guide {
  const text = readFileSync(join(GUIDES, `${name}.md`), 'utf8')
  const blocks = [...text.matchAll(/^```(?<lang>\w+)(?: (?<path>\S+))?\n(?<body>.*?)^```$/gms)].map((match) => ({
    path: match.groups?.path,
    lang: match.groups?.lang,
    body: match.groups?.body ?? '',
    typed: match.index > text.indexOf('## What to type'),
  }))
  const commands = (typed: boolean) =>
    blocks
      .filter((block) => block.lang === 'sh' && block.typed === typed)
      .flatMap(({ body }) => body.trim().split('\n'))
  const files = blocks.filter(({ path, typed }) => path !== undefined && !typed)
  return {
    files: Object.fromEntries(files.map(({ path, body }) => [path, body])),
    install: commands(false),
    commands: commands(true),
    manifest: JSON.parse(blocks.find(({ path }) => path === 'zapp.json')?.body ?? 'null'),
    holds: (blocks.find(({ lang, typed }) => lang === 'text' && typed)?.body ?? '').match(/^\S+/gm) ?? [],
  }
}

export async function writeFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}
