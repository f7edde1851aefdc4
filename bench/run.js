/** Every measurement of this folder, one after the other, each beside its peers in one run: npm run bench [NAME…] */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))
const all = readdirSync(folder).filter((name) => name.endsWith('.js') && name !== basename(import.meta.url))
const wanted = process.argv.slice(2)

for (const name of all.filter((name) => wanted.length === 0 || wanted.includes(basename(name, '.js')))) {
  console.log(`\n── ${name} ──`)
  if (spawnSync(process.execPath, [join(folder, name)], { stdio: 'inherit' }).status !== 0) process.exitCode = 1
}
