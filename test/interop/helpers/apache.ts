import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../helpers/free-port.ts'
import { needPrograms } from './apt.ts'
import type { Emitted, Place } from './place.ts'
import { type ServerProcess, startProcess } from './server-process.ts'

const MODULES = '/usr/lib/apache2/modules'
/** Root starts Apache, but never answers requests. */
export const APACHE_USER = userInfo().uid === 0 ? 'www-data' : userInfo().username

export interface Apache extends ServerProcess {
  readonly port: number
}

export async function needApache(): Promise<void> {
  await needPrograms({
    apache2: 'apache2',
    [`${MODULES}/mod_wsgi.so`]: 'libapache2-mod-wsgi-py3',
  })
}

/**
 * Starts an Apache of its own that includes a configuration as it was emitted: with nothing of the system's but its
 * modules, on a free port of 127.0.0.1.
 *
 * @param place one whose user is APACHE_USER
 * @param wsgi another mod_wsgi than Debian's
 */
export async function startApache(place: Place, emitted: Emitted, wsgi = `${MODULES}/mod_wsgi.so`): Promise<Apache> {
  const { dir, user } = place
  const port = await freePort()
  const run = join(dir, 'run')
  await mkdir(run, { recursive: true })
  const isRoot = userInfo().uid === 0
  const modules = ['mpm_event', 'authz_core', 'alias', 'env', 'cgid', 'unixd']
    // Some of them are built in elsewhere.
    .filter((name) => existsSync(`${MODULES}/mod_${name}.so`))
    .map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`)
  const config = join(dir, 'apache.conf')
  await writeFile(
    config,
    `
ServerRoot "${run}"
ServerName shop.example
Listen 127.0.0.1:${port}
PidFile "${run}/apache.pid"
ErrorLog "${run}/error.log"
LogLevel warn
DefaultRuntimeDir "${run}"
${modules.join('\n')}
LoadModule wsgi_module ${wsgi}
ScriptSock "${run}/cgisock"
WSGISocketPrefix "${run}/wsgi"
${isRoot ? `User ${user}\nGroup ${user}` : ''}
StartServers 1
ServerLimit 2
ThreadsPerChild 8
MaxRequestWorkers 16
<Directory />
  Require all denied
</Directory>
DocumentRoot "${run}"
${await readFile(emitted.file, 'utf8')}
`,
  )
  const argv = ['apache2', '-d', run, '-f', config, '-DFOREGROUND']
  const log = () => readFileSync(join(run, 'error.log'), 'utf8')
  try {
    return { port, ...(await startProcess(argv, { at: port, cwd: dir })), log }
  } catch (error) {
    throw existsSync(join(run, 'error.log')) ? new Error(log(), { cause: error }) : error
  }
}
