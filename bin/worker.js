// A process of the host for one app, see src/host/workers/work.ts. The app may have left timers and connections behind:
// when the work is over nothing is waited for.
import { work } from '../dist/host/workers/work.js'

await work(process)
process.exit()
