import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Installs what is missing with apt-get (Debian and its children; as root). Rejects with what to do where that fails.
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
  try {
    await run('apt-get', install, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  } catch (cause) {
    throw new Error(`these tests need ${missing.join(', ')}; run as root: apt-get ${install.join(' ')}`, { cause })
  }
}

async function isOnPath(program: string): Promise<boolean> {
  return run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  )
}
