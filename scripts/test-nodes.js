/**
 * Runs the test suite under other Node versions: node scripts/test-nodes.js 22 24 26
 *
 * The binaries come from the npm package `node`, installed into build/nodes/. `npm test` has compiled dist/ before.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** @param {string} version @returns {string} the path of that Node's binary */
function install(version) {
  const dir = join(root, 'build', 'nodes', version)
  const binary = join(dir, 'node_modules', 'node', 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'package.json'), '{ "private": true }\n')
    const { status } = spawnSync('npm', ['install', '--silent', '--no-audit', '--no-fund', `node@${version}`], {
      cwd: dir,
      stdio: 'inherit',
    })
    if (status !== 0) throw new Error(`npm could not install node@${version}`)
  }
  return binary
}

for (const version of process.argv.slice(2)) {
  const binary = install(version)
  console.log(`\nNode ${spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()}`)
  const { status } = spawnSync(
    binary,
    [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--retry=1',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=build/results/node-${version}.json`,
    ],
    // Programs that the tests start by name (`node`, `npx`) are of this version too.
    { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: `${dirname(binary)}:${process.env.PATH}` } },
  )
  if (status !== 0) process.exitCode = 1
}
