import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withDeadline } from '../../src/host/deadline.ts'

/** The garbage collector, as often as a busy host has it: signals that only each other hold are gone before they abort. */
let collecting: NodeJS.Timeout
beforeEach(() => {
  setFlagsFromString('--expose-gc')
  collecting = setInterval(runInNewContext('gc') as () => void, 5)
})
afterEach(() => clearInterval(collecting))

/** Work that has no end of its own. */
const aborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true })
    if (signal.aborted) resolve('aborted')
  })

/** How often somebody listens. */
function counted() {
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--
    remove(...args)
  }
  return { abort: () => controller.abort(), signal, listeners: () => listeners }
}

describe('withDeadline', () => {
  it('aborts when the time is over', async () => {
    expect(await withDeadline(new AbortController().signal, 100, aborted)).toBe('aborted')
  })

  it('aborts with the signal around it, now or earlier', async () => {
    const outer = new AbortController()
    const work = withDeadline(outer.signal, 60_000, aborted)
    setTimeout(() => outer.abort(), 100)
    expect(await work).toBe('aborted')
    expect(await withDeadline(outer.signal, 60_000, aborted)).toBe('aborted')
  })

  it('gives what the work gives or throws, and leaves nothing behind', async () => {
    const outer = counted()
    const signals: AbortSignal[] = []
    const done = async (signal: AbortSignal) => {
      signals.push(signal)
      return 'done'
    }
    expect(await withDeadline(outer.signal, 60_000, done)).toBe('done')
    const broken = () => Promise.reject(new Error('no such table'))
    await expect(withDeadline(outer.signal, 60_000, broken)).rejects.toThrow('no such table')
    expect(outer.listeners()).toBe(0)
    outer.abort()
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  })
})
