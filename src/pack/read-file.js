// Plain JavaScript, because worker threads load this file from src/ (under vitest) and from dist/ alike.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { compress } from '../archive/compress.js'
import { isProgram } from '../archive/file-mode.js'
import { findSecret } from '../archive/secret-content.js'
import { nativeTargets } from './native-target.js'

/**
 * A file that is in memory, as it stood in a zip whose checksums were found right.
 *
 * @typedef {object} StoredContent
 * @property {'stored' | 'deflate'} method
 * @property {Uint8Array} stored
 */

/**
 * @typedef {object} ReadJob
 * @property {string | StoredContent} source absolute path, or what a wheel holds
 * @property {string} path entry name
 * @property {number} size as planned
 * @property {number} mtimeMs as planned
 * @property {boolean} compressible
 * @property {boolean} scan look for secrets in the content
 */

/**
 * @typedef {object} ReadFacts
 * @property {boolean} program its first bytes are those of a program
 * @property {string} [secret] what was found, in words
 * @property {import('./native-target.js').BinaryTarget[]} [native]
 */

/** @typedef {import('../archive/compress.js').Compressed & ReadFacts} ReadResult */

/**
 * Reads one file and does everything that needs its bytes: checks, checksums, compression.
 *
 * @param {ReadJob} job
 * @returns {ReadResult | { problem: string }} a problem where the file is not what was planned
 */
export function readFile(job) {
  const { source } = job
  const bytes = typeof source === 'string' ? readUnchanged(source, job) : contentOf(source, job.size)
  if (typeof bytes === 'string') return { problem: bytes }
  const program = isProgram(bytes)
  const native = program || /\.(?:node|pyd)$/.test(job.path) ? nativeTargets(bytes, job.path) : []
  const compressed = compress(bytes, job.compressible)
  if (!isFaithful(compressed, bytes)) return { problem: 'zlib did not give back what it was given' }
  const secret = job.scan ? findSecret(bytes) : undefined
  return {
    ...compressed,
    program,
    ...(native.length > 0 ? { native } : {}),
    ...(secret === undefined ? {} : { secret }),
  }
}

/** @param {StoredContent} source @param {number} size */
export function contentOf({ method, stored }, size) {
  return method === 'stored' ? stored : inflateRawSync(stored, { chunkSize: Math.max(MIN_CHUNK, size + 1) })
}

/**
 * Whether the stream inflates to the very bytes. Done here, on all processors, it need not be done when the archive is
 * checked: there, the file's digest is enough.
 *
 * @param {import('../archive/compress.js').Compressed} compressed @param {Uint8Array} bytes
 */
function isFaithful({ method, data }, bytes) {
  if (method === 'stored') return true
  // Room for one byte more than there must be: the result comes in one piece, and one that is too long is noticed.
  return inflateRawSync(data, { chunkSize: Math.max(MIN_CHUNK, bytes.length + 1) }).equals(bytes)
}

/** zlib's Z_MIN_CHUNK */
const MIN_CHUNK = 64

/**
 * The bytes, or why they cannot be trusted: size and time must be the planned ones before and after the read.
 *
 * @param {string} source @param {ReadJob} job
 */
function readUnchanged(source, job) {
  let fd
  try {
    fd = openSync(source, 'r')
    if (changed(fstatSync(fd), job)) return CHANGED
    const bytes = Buffer.allocUnsafeSlow(job.size)
    for (let done = 0; done < job.size; ) {
      const read = readSync(fd, bytes, done, job.size - done, done)
      if (read === 0) return CHANGED
      done += read
    }
    return changed(fstatSync(fd), job) ? CHANGED : bytes
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    return code === 'ENOENT' ? CHANGED : message
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The problem of a file that is being written to. */
export const CHANGED = 'changed'

/** @param {import('node:fs').Stats} stat @param {ReadJob} job */
function changed(stat, job) {
  return stat.size !== job.size || stat.mtimeMs !== job.mtimeMs
}
