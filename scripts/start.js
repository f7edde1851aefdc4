/**
 * `npm start`: packs the example apps into build/apps/ and serves them on http://127.0.0.1:8080/.
 * What stands behind `--` goes to `zapp serve`: npm start -- --port 8081
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'))
const args = process.argv.slice(2)

if (!(await isFree())) {
  console.error('Port 8080 of 127.0.0.1 is in use. Choose another: npm start -- --port 8081')
  process.exit(1)
}
if (!existsSync('dist/cli/main.js')) spawnSync(process.execPath, ['scripts/build.js'], { stdio: 'inherit' })

const apps = join('fixtures', 'apps')
const target = join('build', 'apps')
rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
const { pack } = await import('../dist/pack/pack.js')
for (const name of readdirSync(apps)) {
  const { bytes, files, ms } = await pack(join(apps, name), { out: join(target, `${name}.zapp`) })
  console.error(`packed ${target}/${name}.zapp: ${files} files, ${Math.ceil(bytes / 1024)} KiB, ${ms} ms`)
}

const places = ['cache', 'data', 'state'].flatMap((name) => [`--${name}`, join('build', name)])
process.argv.splice(2, Number.POSITIVE_INFINITY, 'serve', target, ...places, '--admin', '0', ...args)
await import('../bin/zapp.js')

/** Whether the default address can be had. Of one that was chosen, `zapp serve` itself says what is wrong. */
function isFree() {
  const chosen = parseArgs({
    args,
    strict: false,
    options: { port: { type: 'string', short: 'p' }, host: { type: 'string' } },
  })
  if ('port' in chosen.values || 'host' in chosen.values) return true
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(8080, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
