import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { openJudged } from '../../archive/judged-archive.ts'
import { describe, ZappError } from '../../errors.ts'
import { prepareCommand } from '../../runtimes/prepare-command.ts'
import type { CommandMessage } from './messages.ts'

/** After SIGTERM, before SIGKILL, where the host is gone. */
const TERM_MS = 5000

/**
 * Runs a command of an app in the group of this process, which is of the user that the command is to run as: what it
 * needs is found, and its run tree built, with that user's rights. Resolves when it has ended; its code is the process's.
 */
export async function runCommand(channel: NodeJS.Process, { file, run, ...options }: CommandMessage): Promise<void> {
  const archive = await openJudged(file)
  try {
    const command = await prepareCommand(archive, run, options)
    const [program = '', ...args] = command.argv
    const child = spawn(program, args, { cwd: command.cwd, env: command.env, stdio: ['ignore', 'inherit', 'inherit'] })
    // Sent to the group: the command has it, too, and is waited for.
    channel.on('SIGTERM', () => {})
    channel.once('disconnect', () => {
      process.kill(-process.pid, 'SIGTERM')
      setTimeout(() => process.kill(-process.pid, 'SIGKILL'), TERM_MS)
    })
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    await command.release()
    channel.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0)
  } catch (error) {
    const texts = error instanceof ZappError ? error.findings.map((one) => describe(one).message) : [String(error)]
    for (const text of texts) channel.stderr.write(`${text}\n`)
    channel.exitCode = 1
  } finally {
    await archive.close()
  }
}
