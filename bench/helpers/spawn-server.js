import { spawn } from 'node:child_process'

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/**
 * Starts a server in a session of its own, as the host does with its workers: Linux divides its time by sessions. It ends
 * with this process, which a Ctrl-C in the terminal would not tell it.
 *
 * @param {readonly string[]} argv @param {Record<string, string | undefined>} [env]
 */
export function spawnServer([program = '', ...args], env = process.env) {
  const child = spawn(program, args, { env, stdio: 'ignore', detached: true })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}
