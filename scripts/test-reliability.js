/**
 * The promises of the host, measured: node scripts/test-reliability.js [--full] [options of vitest]
 *
 * By itself at a size for every change; with --full at the size that they are promised at, an hour or so.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const rest = process.argv.slice(2).filter((word) => word !== '--full')
const full = rest.length < process.argv.length - 2
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.reliability.config.ts', ...rest],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...(full ? { ZAPP_RELIABILITY: 'full' } : {}) } },
)
process.exitCode = status ?? 1
