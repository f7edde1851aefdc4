import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accepts, freePort } from '../../helpers/free-port.ts'

/**
 * Starts an nginx of its own: configuration, pid and temporary files in `folder`, on a free port of 127.0.0.1.
 *
 * @param server what goes into its one `server` block
 */
export async function startNginx(folder: string, server: string): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort()
  return startNginxSites(folder, port, `server { listen 127.0.0.1:${port}; server_name shop.example; ${server} }`)
}

/** As {@link startNginx}, with whole sites, one of which listens at the port. */
export async function startNginxSites(folder: string, port: number, sites: string) {
  const config = join(folder, 'nginx.conf')
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/tmp;`)
  await mkdir(join(folder, 'tmp'), { recursive: true })
  await writeFile(
    config,
    `${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr crit;
    events { worker_connections 256; }
    http {
      access_log off; include /etc/nginx/mime.types; default_type application/octet-stream; ${bodies.join(' ')}
      ${sites}
    }`,
  )
  const child = spawn('nginx', ['-p', folder, '-c', config, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${errors}`)
  }
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
