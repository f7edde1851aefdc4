import { type ChildProcess, spawn } from 'node:child_process'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail, ZappError } from '../../errors.ts'
import type { Question, Verdict } from './validate.ts'

/** The largest legal archive, 65,534 entries with the longest names, takes 300 MB. */
const HEAP_MB = 512
/** The largest content, 4 GiB, takes 20 s to inflate and hash; disks may be slow and processors busy. */
const JUDGE_MS = 300_000

/** One validator (validate.ts), which is asked one thing at a time. */
export class ValidatorProcess {
  /** When it was last of use, on the clock of `performance`. */
  since = performance.now()
  readonly #child: ChildProcess
  #reason: string | undefined
  #answer: (verdict: Verdict | undefined) => void = () => {}

  constructor(onEnded: () => void) {
    // A leader of its own group: Ctrl-C on the terminal is for the host, which still may need it.
    this.#child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, MAIN], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {},
    })
    this.#child.on('message', (verdict: Verdict) => this.#answer(verdict))
    const ended = (how: string) => {
      this.#reason ??= how
      this.#answer(undefined)
      onEnded()
    }
    this.#child.once('error', (error) => ended(error.message))
    this.#child.once('exit', (code, signal) => ended(signal ? `it was ended by ${signal}` : `exit code ${code}`))
    this.#child.unref()
    this.#child.channel?.unref()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get alive(): boolean {
    return this.#reason === undefined && this.#child.connected
  }

  /** @throws ZappError what it found; VALIDATION_ENDED where it found nothing before it ended */
  async judge(file: string): Promise<string> {
    const late = setTimeout(() => {
      this.#reason = `it was not done after ${JUDGE_MS / 1000} seconds`
      this.#child.kill('SIGKILL')
    }, JUDGE_MS)
    this.#child.channel?.ref()
    const verdict = await new Promise<Verdict | undefined>((resolve) => {
      this.#answer = resolve
      const question: Question = { file }
      if (this.alive) this.#child.send(question, () => {})
      else resolve(undefined)
    })
    clearTimeout(late)
    this.#child.channel?.unref()
    this.since = performance.now()
    if (!verdict) throw fail('VALIDATION_ENDED', '', { file: basename(file), reason: this.#reason ?? '' })
    if ('manifestText' in verdict) return verdict.manifestText
    const [first] = verdict.findings
    if (!first) throw fail('INTERNAL', '', { reason: 'an archive was refused without a finding' })
    throw new ZappError(first, verdict.findings)
  }

  /** It ends when it has nothing left to say. */
  end(): void {
    this.#reason ??= 'the host ends'
    if (this.#child.connected) this.#child.disconnect()
    else this.#child.kill('SIGKILL')
  }
}

const MAIN = join(fileURLToPath(new URL('../../../bin', import.meta.url)), 'validator.js')
