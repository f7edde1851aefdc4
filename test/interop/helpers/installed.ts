import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tmpDir } from '../../helpers/tmp.ts'
import { writeFiles } from './guide.ts'
import { notRun } from './not-run.ts'

const run = promisify(execFile)
const CACHE = join(import.meta.dirname, '../../../build/interop')

/** What programs of frameworks must not do while they are tested: tell their makers about it. */
export const QUIET = {
  NEXT_TELEMETRY_DISABLED: '1',
  NUXT_TELEMETRY_DISABLED: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}

/** What npm says where its registry is to blame, and not what was asked of it. */
const UNREACHABLE = /npm error (?:code (?:E5\d\d|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT)|network )/

/**
 * A fresh folder outside of this project, with these files, after these commands. What they leave is kept in
 * build/interop, so that a second run only unpacks it.
 */
export async function installed(
  name: string,
  files: Readonly<Record<string, string>>,
  commands: readonly string[],
): Promise<string> {
  const dir = await tmpDir()
  const key = createHash('sha256').update(JSON.stringify([files, commands, process.versions.modules]))
  const kept = join(CACHE, `${name}-${key.digest('hex').slice(0, 12)}.tar`)
  if (existsSync(kept)) {
    await run('tar', ['-xf', kept, '-C', dir])
    return dir
  }
  await writeFiles(dir, files)
  for (const command of commands) {
    await shell(command, dir).catch((error: Error) => {
      if (UNREACHABLE.test(error.message)) notRun(error.message)
      throw error
    })
  }
  await mkdir(CACHE, { recursive: true })
  const fresh = `${kept}.${process.pid}`
  try {
    await run('tar', ['-cf', fresh, '-C', dir, '.'])
    await rename(fresh, kept)
  } finally {
    await rm(fresh, { force: true })
  }
  return dir
}

/** Runs a command line, with what it said in the error if it fails. */
export async function shell(command: string, cwd: string): Promise<string> {
  const env = { ...process.env, NODE_ENV: '', ...QUIET }
  const { stdout } = await run('sh', ['-c', command], { cwd, env, maxBuffer: 2 ** 26 }).catch((error) => {
    throw new Error(`${command}: ${error.message}\n${error.stdout}${error.stderr}`)
  })
  return stdout
}
