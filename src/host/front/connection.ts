import type { Socket } from 'node:net'

/**
 * Stops reading a connection at once, so that whatever comes stays with the kernel and goes wherever the descriptor goes.
 * `pause()` alone would let the stream fill its own buffer first. What that holds already is returned.
 */
export function stopReading(socket: Socket): Buffer {
  const { _handle: handle } = socket as Socket & { _handle?: { reading: boolean; readStop(): void } | null }
  socket._read = () => {}
  if (handle) {
    // What net.Socket goes by when it is to read again.
    handle.reading = false
    handle.readStop()
  }
  socket.pause()
  return socket.readableLength > 0 ? (socket.read() as Buffer) : Buffer.alloc(0)
}
