import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accepts, freePort } from '../../helpers/free-port.ts'

const MODULES = '/usr/lib/apache2/modules'

/**
 * Starts an Apache of its own: configuration, pid and sockets in `folder`, on a free port of 127.0.0.1. Its workers run as
 * www-data where this is root, so that `folder` has to be readable for everyone.
 *
 * @param modules names without `mod_` and `.so`, besides those that every server needs
 * @param config what goes into the configuration
 */
export async function startModCgid(
  folder: string,
  modules: readonly string[],
  config: string,
): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort()
  await mkdir(join(folder, 'run'), { recursive: true })
  await chmod(folder, 0o755)
  const file = join(folder, 'apache.conf')
  const load = ['mpm_event', 'authz_core', ...modules].map(
    (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`,
  )
  await writeFile(
    file,
    `${load.join('\n')}
    ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
    ServerRoot ${folder}
    DefaultRuntimeDir ${folder}/run
    PidFile ${folder}/run/pid
    ErrorLog ${folder}/error.log
    ServerName localhost
    Listen 127.0.0.1:${port}
    ${config}\n`,
  )
  const child = spawn('apache2', ['-f', file, '-DFOREGROUND'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`apache2 did not start: ${errors}`)
  }
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
