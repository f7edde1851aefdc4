import { execFile } from 'node:child_process'
import { chmod, mkdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cli } from '../../cli/helper.ts'
import { tmpDir } from '../../helpers/tmp.ts'

const run = promisify(execFile)

/** A folder of one container, and who runs the app in it. */
export interface Place {
  readonly dir: string
  readonly user: string
  readonly cache: string
  readonly data: string
}

/** @param user who must be able to read what lies there */
export async function newPlace(user: string = userInfo().username): Promise<Place> {
  const dir = await tmpDir()
  // Other users than the one that runs the tests come by.
  await chmod(dir, 0o755)
  return { dir, user, cache: join(dir, 'cache'), data: join(dir, 'data') }
}

/** One configuration as `zapp emit` writes it. */
export interface Emitted {
  /** Absolute path of the first file: the configuration itself. */
  readonly file: string
  /** What a comment of it says: `Start` → a command line. */
  readonly steps: Readonly<Record<string, string>>
}

/** Lets `zapp emit` write the configuration into the place, and does there what its comments say is done once. */
export async function emitInto(
  { dir, user, cache, data }: Place,
  target: string,
  archive: string,
  ...flags: string[]
): Promise<Emitted> {
  const own = target === 'nginx' ? [] : ['--user', user, '--cache', cache, '--data', data]
  const out = join(dir, 'conf')
  await mkdir(out, { recursive: true })
  const { code, stdout, stderr } = await cli(['emit', target, archive, '--json', '-o', out, ...own, ...flags])
  if (code !== 0) throw new Error(`${stdout}${stderr}`)
  const [first] = JSON.parse(stdout).files as { name: string; text: string }[]
  const rows = first!.text.matchAll(/^# (?<step>[A-Z]\w+(?: \w+)?) {2,}(?<what>.+)$/gm)
  const steps = Object.fromEntries([...rows].map(({ groups }) => [groups!.step!, groups!.what!]))
  if (steps.Once !== undefined) await run('sh', ['-ec', steps.Once])
  return { file: join(out, first!.name), steps }
}
