import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { notRun } from './not-run.ts'

const run = promisify(execFile)

/** Mirrors fail for moments, and others install too. */
const PATIENT = ['-o', 'Acquire::Retries=5', '-o', 'DPkg::Lock::Timeout=300']

/**
 * Installs what is missing with apt-get (Debian and its children; as root). Where that fails, the tests are not run, and say
 * what to do.
 *
 * @param packages names of packages by program, or by absolute path of a file that they bring
 */
export async function needPrograms(packages: Readonly<Record<string, string>>): Promise<void> {
  const missing: string[] = []
  for (const [program, name] of Object.entries(packages)) {
    if (!(program.startsWith('/') ? existsSync(program) : await isOnPath(program))) missing.push(name)
  }
  if (missing.length === 0) return
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  const aptGet = (...args: string[]) =>
    run('apt-get', [...PATIENT, ...args], { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  try {
    // Its lists may be older than what the mirrors still have.
    await aptGet(...install).catch(() => aptGet('update').then(() => aptGet(...install)))
  } catch (cause) {
    notRun(`these tests need ${missing.join(', ')}; run as root: apt-get ${install.join(' ')}\n${lastLines(cause)}`)
  }
}

/** Of what a program said about its failure. */
export function lastLines(cause: unknown): string {
  const { message, stderr = message } = cause as Error & { readonly stderr?: string }
  return stderr.trim().split('\n').slice(-4).join('\n')
}

async function isOnPath(program: string): Promise<boolean> {
  return run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  )
}
