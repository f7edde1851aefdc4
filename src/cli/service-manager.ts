import { execFile } from 'node:child_process'
import type { Io } from './io.ts'

/** A message that systemd does not take in this time is not waited for. */
const TIMEOUT_MS = 5000

/**
 * Tells systemd how a service of `Type=notify` does, with sd_notify(3). Node has no datagrams over Unix sockets, so its
 * program systemd-notify sends them; its unit has to say `NotifyAccess=all`, because that is a process of its own. Without
 * NOTIFY_SOCKET nothing is done.
 */
export class ServiceManager {
  readonly #env: Io['env']
  readonly #onError: (error: Error) => void
  readonly #watchdog: NodeJS.Timeout | undefined
  #sent: Promise<void> = Promise.resolve()
  #isBroken = false

  /** @param onError told once */
  constructor(env: Io['env'], pid: number, onError: (error: Error) => void) {
    this.#env = env
    this.#onError = onError
    const { WATCHDOG_USEC: usec, WATCHDOG_PID: of = String(pid) } = env
    // Twice as often as systemd asks for, as sd_watchdog_enabled(3) recommends.
    const everyMs = Number(usec) / 2000
    if (everyMs >= 1 && of === String(pid)) {
      this.#watchdog = setInterval(() => void this.#tell('WATCHDOG=1'), everyMs).unref()
    }
  }

  /** It serves, or does again. */
  ready(status: string): Promise<void> {
    return this.#tell('READY=1', `STATUS=${status}`)
  }

  /** It reads its settings; {@link ready} follows. */
  reloading(): Promise<void> {
    return this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  stopping(): Promise<void> {
    clearInterval(this.#watchdog)
    return this.#tell('STOPPING=1')
  }

  /** One after the other: none may overtake the one before. */
  #tell(...words: readonly string[]): Promise<void> {
    const { NOTIFY_SOCKET, PATH } = this.#env
    if (!NOTIFY_SOCKET) return this.#sent
    const env = { NOTIFY_SOCKET, ...(PATH === undefined ? {} : { PATH }) }
    this.#sent = this.#sent.then(
      () =>
        new Promise((resolve) => {
          execFile('systemd-notify', words, { env, timeout: TIMEOUT_MS }, (error) => {
            if (error && !this.#isBroken) this.#onError(error)
            this.#isBroken ||= error !== null
            resolve()
          })
        }),
    )
    return this.#sent
  }
}
