import type { Writable } from 'node:stream'
import { formatBytes } from './format.ts'
import type { Ui } from './ui.ts'

export interface Progress {
  /** @param done bytes of `total` */
  update(label: string, done: number, total: number): void
  /** Removes the bar. */
  stop(): void
}

/** A bar on stderr while a long command works; nothing where stderr is no terminal, and with `--json`. */
export async function createProgress(ui: Ui): Promise<Progress> {
  if (ui.json || ui.io.stderr.isTTY !== true) return { update: () => {}, stop: () => {} }
  const { default: cliProgress } = await import('cli-progress')
  const bar = new cliProgress.SingleBar({
    stream: ui.io.stderr as unknown as Writable,
    format: `  {label} ${ui.talk.cyan('{bar}')} {percentage}%  {size}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    // It would install signal handlers of its own.
    gracefulExit: false,
  })
  let running = false
  return {
    update(label, done, total) {
      if (total === 0) return
      const payload = { label: label.padEnd(8), size: formatBytes(total) }
      if (!running) bar.start(total, done, payload)
      running = true
      bar.setTotal(total)
      bar.update(done, payload)
    },
    stop() {
      if (running) bar.stop()
      running = false
    },
  }
}
