import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What worker processes of Node are started with. */
export const WORKER = join(fileURLToPath(new URL('../../../bin', import.meta.url)), 'worker.js')
