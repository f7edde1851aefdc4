/**
 * Packing: `zapp pack` beside `zip -qr`, `python3 -m zipapp -c` and `jar cf` on one tree, in one run.
 * Only the ratios mean something: the figures change with the machine and its other work.
 *
 *   npm run build && node bench/pack.js [--rounds 3] [--package node-red@4] [--project DIR]
 *
 * The tree is the node_modules of a package that is installed from npm into a temporary folder, or a project of yours.
 * Each tool is a process of its own, as a user starts it; they take turns and the median of the rounds counts. `zapp
 * pack` also decides what to pack, hashes every file, writes the SBOM, and checks the whole archive before it renames it.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    package: { type: 'string', default: 'node-red@4' },
    project: { type: 'string' },
  },
})
const zapp = fileURLToPath(new URL('../bin/zapp.js', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'zapp-bench-'))
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }))

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd = temporary) {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (error) return false
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return true
}

function install() {
  const dir = join(temporary, 'project')
  mkdirSync(dir)
  writeFileSync(join(dir, 'package.json'), '{"name":"bench","version":"1.0.0","private":true}\n')
  writeFileSync(join(dir, 'app.js'), "module.exports = (req, res) => res.end('bench')\n")
  run('npm', ['install', '--silent', '--ignore-scripts', values.package], dir)
  return dir
}

const project = values.project ? resolve(values.project) : install()
const files = readdirSync(project, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
const bytes = files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
console.log(`${project}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB\n`)

/** @type {Record<string, (out: string) => boolean>} */
const TOOLS = {
  'zapp pack': (out) => run(process.execPath, [zapp, 'pack', project, '-o', out, '--json']),
  'zip -qr': (out) => run('zip', ['-qr', out, '.'], project),
  'python3 -m zipapp -c': (out) => run('python3', ['-m', 'zipapp', project, '-c', '-o', out, '-m', 'x:y']),
  'jar cf': (out) => run('jar', ['cf', out, '-C', project, '.']),
}

/** @type {Map<string, { times: number[], size: number }>} */
const results = new Map()
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, tool] of Object.entries(TOOLS)) {
    const out = join(temporary, `out${round}.${name === 'zapp pack' ? 'zapp' : 'zip'}`)
    const started = performance.now()
    if (!tool(out)) continue
    const row = results.get(name) ?? { times: [], size: statSync(out).size }
    row.times.push(performance.now() - started)
    results.set(name, row)
    rmSync(out)
  }
}

/** @param {readonly number[]} times */
const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
const base = median(results.get('zip -qr')?.times ?? results.get('zapp pack')?.times ?? [])
console.log('tool                    time      of zip   size')
for (const [name, { times, size }] of results) {
  const time = median(times)
  console.log(
    `${name.padEnd(22)}  ${(time / 1000).toFixed(2)} s    ${(time / base).toFixed(2)}     ${(size / 1e6).toFixed(1)} MB`,
  )
}
