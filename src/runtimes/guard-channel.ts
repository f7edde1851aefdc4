import type { ChildProcess } from 'node:child_process'

interface ChannelHandle {
  onread?: (...read: unknown[]) => unknown
}

/**
 * What a child writes to its IPC channel is its own: code of an app can write there too. Node throws what is no JSON out of
 * its own reading, where nobody could catch it.
 *
 * @param onBroken nothing of what the child says can be understood any more
 */
export function guardChannel(child: ChildProcess, onBroken: () => void): void {
  const key = Object.getOwnPropertySymbols(child).find(({ description }) => description === 'kChannelHandle')
  const handle = key && (Reflect.get(child, key) as ChannelHandle | undefined)
  const onread = handle?.onread
  if (!handle || !onread) return
  handle.onread = (...read) => {
    try {
      return onread.apply(handle, read)
    } catch {
      onBroken()
    }
  }
}
