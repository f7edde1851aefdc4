// A worker thread: reads and compresses batches of files. Plain JavaScript, because it is loaded from src/ (under
// vitest) and from dist/ alike.
import { parentPort } from 'node:worker_threads'
import { readFile } from './read-file.js'

const port = parentPort
if (!port) throw new Error('deflate-worker.js runs in a worker thread only')

port.on('message', (/** @type {import('./read-file.js').ReadJob[] | undefined} */ jobs) => {
  if (!jobs) return port.close()
  const results = jobs.map(readFile)
  // One block for the whole batch: moving it costs nothing, moving thousands of small ones does.
  const block = oneBlock(results.map((result) => ('data' in result ? result.data : new Uint8Array())))
  let offset = 0
  const rows = results.map((result) => {
    if (!('data' in result)) return result
    const { data, ...rest } = result
    offset += data.length
    return { ...rest, offset: offset - data.length, length: data.length }
  })
  port.postMessage({ rows, block }, [block.buffer])
})

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
function oneBlock(parts) {
  const [first] = parts
  // A large file is a batch of its own and need not be copied.
  if (parts.length === 1 && first && first.byteLength === first.buffer.byteLength && first.byteLength > 0) {
    return /** @type {Uint8Array<ArrayBuffer>} */ (first)
  }
  const block = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    block.set(part, offset)
    offset += part.length
  }
  return block
}
