import type { Socket } from 'node:net'
import { readOn } from './connection.ts'
import { type Head, readHead } from './read-head.ts'

/** A head that is not complete by then has failed (S01). */
const HEAD_MS = 15_000
/** Longer than the 60 s of usual load balancers, so that it is never they who write into a closed connection. */
export const KEEP_ALIVE_MS = 65_000

export interface PeekOptions {
  /** What was read of it already. */
  readonly bytes: Buffer
  /** It has been answered before: the next request may take its time. */
  readonly idle: boolean
  /** `head` is undefined for what is no usual request, or did not come in time. */
  readonly onHead: (bytes: Buffer, head: Head | undefined) => void
}

/**
 * Reads a connection until it is known whose its next request is. Whoever is told stops reading, or goes on at once.
 * Where it ends before that, nobody is told.
 */
export function peek(socket: Socket, { bytes: first, idle, onHead }: PeekOptions): void {
  let bytes = first
  let timer: NodeJS.Timeout | undefined

  function done(head: Head | undefined): void {
    clearTimeout(timer)
    socket.off('data', onData).off('end', onEnd).off('close', onClose)
    onHead(bytes, head)
  }

  /** @returns whether it is over */
  function look(): boolean {
    const head = bytes.length === 0 ? 'more' : readHead(bytes)
    if (head === 'more') return false
    done(head === 'odd' ? undefined : head)
    return true
  }

  const onData = (chunk: Buffer) => {
    if (bytes.length === 0 && idle) wait(HEAD_MS)
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    look()
  }
  // Half a request is none, and nobody waits for an answer.
  const onEnd = () => socket.destroy()
  const onClose = () => clearTimeout(timer)

  function wait(ms: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => (bytes.length === 0 ? socket.destroy() : done(undefined)), ms)
  }

  if (look()) return
  wait(idle && bytes.length === 0 ? KEEP_ALIVE_MS : HEAD_MS)
  socket.on('data', onData).on('end', onEnd).on('close', onClose)
  readOn(socket)
}
