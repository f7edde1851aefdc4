// Preloaded into a host (node --import): how long its event loop kept timers waiting, in ms, written to the file that
// ZAPP_PROBE names at each SIGUSR2, for the time since the one before.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const file = process.env.ZAPP_PROBE
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
if (file !== undefined) {
  process.on('SIGUSR2', () => {
    const [p99, max] = [delay.percentile(99) / 1e6, delay.max / 1e6]
    delay.reset()
    writeFileSync(file, JSON.stringify({ p99, max }))
  })
}
