/** The suite is run at the size that the promises are made at, else at one that every change can wait for. */
export const FULL = process.env.ZAPP_RELIABILITY === 'full'

export function sized<T>(small: T, full: T): T {
  return FULL ? full : small
}
