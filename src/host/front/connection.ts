import { Socket } from 'node:net'

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

/** Reads a connection, also one that {@link stopReading} has stopped. */
export function readOn(socket: Socket): void {
  // Not deleted: an object that loses a property is a dictionary from then on, and everything about it slow.
  if (Object.hasOwn(socket, '_read')) socket._read = Socket.prototype._read
  socket.resume()
}

/**
 * Lets `destroySoon()`, which Node ends a connection with after its last answer, only close it where nothing waits to be
 * sent: the client is told of the end by that, too. Node says so first, waits, and then closes: a tenth of what a
 * connection for one request costs. Not for TLS, which has a word for it.
 */
export function closeAtOnce(socket: Socket): void {
  socket.destroySoon = () => {
    if (socket.writableLength > 0) Socket.prototype.destroySoon.call(socket)
    // Within the write that it ends with, Node would make an error for whoever may wait for another.
    else process.nextTick(() => socket.destroy())
  }
}
