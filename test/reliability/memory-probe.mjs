// Preloaded into a host (node --import): at each SIGUSR2 collects all garbage, and writes what is left, in bytes, and what
// keeps the event loop alive, to the file that ZAPP_PROBE names. Without a collection the figure is a saw: how long ago
// the last one was.
import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const file = process.env.ZAPP_PROBE
if (file !== undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  process.on('SIGUSR2', async () => {
    // The second one takes what finalizers of the first let go of.
    for (let i = 0; i < 2; i++) {
      collect()
      await turn()
    }
    const { rss, heapUsed } = process.memoryUsage()
    // Timers and requests come and go.
    const handles = process.getActiveResourcesInfo().filter((type) => type.endsWith('Wrap'))
    writeFileSync(file, JSON.stringify({ rss, heapUsed, handles: handles.length }))
  })
}
