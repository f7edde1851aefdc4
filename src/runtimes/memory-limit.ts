import { fail, type ZappError } from '../errors.ts'
import { mebibytes } from '../format/bytes.ts'
import { residentMemory } from './resident-memory.ts'

/** A process that leads a group. */
export interface Limited {
  readonly pid: number | undefined
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>
  /** Ends it, without SIGTERM before. */
  stop(termMs: 0): unknown
}

export interface MemoryLimitOptions {
  /** Bytes. */
  readonly limit: number
  /** What messages call the process. */
  readonly name: string
  /** What becomes of it above the limit. Default: it is replaced. */
  readonly fate?: string
  /** Told what was measured and what becomes of the process: MEMORY_EXCEEDED. */
  readonly onExcess: (error: ZappError) => void
}

/** A leak takes minutes. A look is at all processes of the machine: 5 ms of a processor for a hundred. */
const LOOK_MS = 1000
/** So many times the limit: there is no time to wait for the one that replaces it. */
const HARD = 2

/**
 * Keeps a process and its group below a limit of resident memory.
 *
 *     within ── above the limit ──▶ exceeded: `worn` ── replaced, drained, still there ──▶ killed
 *        └───────────┴─────────── above twice the limit ──────────────────────────────────▶
 */
export class MemoryLimit {
  /** Resolves when the process is above the limit: to be replaced, or ended. */
  readonly worn: Promise<void>
  isExceeded = false
  readonly #process: Limited
  readonly #options: MemoryLimitOptions
  #wear = () => {}
  #isKilled = false
  #bytes = 0

  constructor(process: Limited, options: MemoryLimitOptions) {
    this.#process = process
    this.#options = options
    this.worn = new Promise((resolve) => {
      this.#wear = resolve
    })
    const { pid } = process
    if (pid === undefined) return
    watched.set(pid, (bytes) => this.#measured(bytes))
    looking ??= setInterval(look, LOOK_MS).unref()
    void process.ended.then(() => {
      watched.delete(pid)
      if (watched.size > 0) return
      clearInterval(looking)
      looking = undefined
    })
  }

  /** It was replaced, and had its time to end. */
  drained(): void {
    if (this.isExceeded) this.#kill('its time to finish is over, it is killed')
  }

  #measured(bytes: number): void {
    this.#bytes = bytes
    const { limit, fate = 'it is replaced' } = this.#options
    if (bytes > HARD * limit) this.#kill(`that is over ${HARD} times as much, it is killed`)
    if (bytes <= limit || this.isExceeded) return
    this.isExceeded = true
    this.#tell(fate)
    this.#wear()
  }

  #kill(fate: string): void {
    if (this.#isKilled) return
    this.#isKilled = true
    this.isExceeded = true
    this.#tell(fate)
    void this.#process.stop(0)
  }

  #tell(fate: string): void {
    const { limit, name, onExcess } = this.#options
    const [got, most] = [mebibytes(this.#bytes), mebibytes(limit)]
    onExcess(fail('MEMORY_EXCEEDED', name, { name, pid: this.#process.pid ?? 0, limit: most, got, fate }))
  }
}

/** By leader of the group. */
const watched = new Map<number, (bytes: number) => void>()
let looking: NodeJS.Timeout | undefined
let isLooking = false

async function look(): Promise<void> {
  if (isLooking) return
  isLooking = true
  try {
    const use = await residentMemory([...watched.keys()])
    for (const [leader, bytes] of use) watched.get(leader)?.(bytes)
  } catch {
    // Without descriptors, say. The next look may see.
  } finally {
    isLooking = false
  }
}
