/**
 * Run as a program of its own: unpacks argv[2] to argv[3] and stops at read number argv[4], for ever, after it has
 * said so. Somebody has to kill it.
 */
import { openArchive } from '../../../src/archive/archive.ts'
import { fileSource } from '../../../src/archive/source.ts'
import { unpack } from '../../../src/archive/unpack.ts'

const [file, target, stopAt] = process.argv.slice(2) as [string, string, string]
const source = await fileSource(file)
let reads = 0
const archive = await openArchive({
  size: source.size,
  close: () => source.close(),
  read: async (position, length, into) => {
    reads++
    if (reads < Number(stopAt)) return source.read(position, length, into)
    console.log('stopped')
    return new Promise(() => setInterval(() => {}, 1000))
  },
})
await unpack(archive, target)
console.log('done')
