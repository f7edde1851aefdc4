import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from './upstream/upstream.ts'

/**
 * A server has to refuse it by itself, as any request of HTTP/1.1 without Host (RFC 9112 §3.2): it does so while its event
 * loop turns, whatever the app waits for. One that lets it pass asks the app for nothing (RFC 9110 §9.3.7).
 */
const QUESTION = 'OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n'
/** Between attempts where it takes no connection: its queue may be full. */
const AGAIN_MS = 500

/** Resolves when who listens there has said anything on a connection of its own, or ended it; or when the signal aborts. */
export async function ping(target: Target, signal: AbortSignal): Promise<void> {
  while (!(await isHeard(target, signal)) && !signal.aborted) {
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => {})
  }
}

function isHeard(target: Target, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const path = 'socketPath' in target ? { path: target.socketPath } : target
    const socket = connect({ ...path, signal })
    let isConnected = false
    socket.once('connect', () => {
      isConnected = true
      socket.write(QUESTION)
    })
    socket.once('data', () => socket.destroy())
    // Ended with or without an error: only somebody who runs does either.
    socket.on('error', () => {}).once('end', () => socket.destroy())
    socket.once('close', () => resolve(isConnected))
  })
}
