import { setTimeout as sleep } from 'node:timers/promises'

export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

/** A promise and what fulfils it: Promise.withResolvers(), which Node 20 lacks. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Waits until a number does not change any more while `turns` times nothing else was to be done. */
export async function settled(value: () => number | Promise<number>, turns = 10): Promise<number> {
  let last = await value()
  for (let same = 0; same < turns; same++) {
    await sleep(10)
    const next = await value()
    if (next !== last) same = 0
    last = next
  }
  return last
}
