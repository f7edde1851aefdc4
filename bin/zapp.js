#!/usr/bin/env node
// The edge between the process and the command line, which knows no process: see src/cli/main.ts.
import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { run } from '../dist/cli/main.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// `zapp inspect FILE | head -1` closes the pipe early: what follows is dropped and the exit code stays true.
// Any other fault, a full disk under `> out.json`, is a failure.
let lost = 0
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code === 'EPIPE' || lost !== 0) return
    lost = 1
    process.exitCode = 1
    process.stderr.write(`error IO\n  writing the output failed: ${error.message}\n`)
  })
}

// The first signal asks the command to stop and clean up; a second one ends the process at once, as without handlers.
const stop = new AbortController()
const signals = /** @type {const} */ (['SIGINT', 'SIGTERM'])
/** @type {((signal: NodeJS.Signals) => void) | undefined} */
let passTo
const onSignal = (/** @type {NodeJS.Signals} */ signal) => {
  if (passTo) {
    // A Ctrl-C has reached every program of the terminal already.
    if (signal !== 'SIGINT' || !isatty(0)) passTo(signal)
    return
  }
  for (const name of signals) process.off(name, onSignal)
  stop.abort(signal)
}
for (const name of signals) process.on(name, onSignal)
// Else Node would start its debugger on it, for everyone on this machine, while a host is not up yet.
process.on('SIGUSR1', () => {})

const code = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  env: process.env,
  signal: stop.signal,
  passSignals(to) {
    passTo = to
  },
  onSignal(name, to) {
    process.on(name, to)
  },
  version,
})
process.exitCode = lost || code
for (const name of signals) process.off(name, onSignal)

// An app that ran in this process may have left a timer or a connection behind: nothing is waited for but the output,
// and, one turn later, the errors of writing it.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
setImmediate(() => process.exit())
