import { TestRunner } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test was skipped that should have run. */
    notRun?: string
  }
}

/** Thrown while a file of tests is loaded: something that all of it needs is not to be had here. */
export class NotRun extends Error {
  override readonly name = 'NotRun'
}

/** Gives up the running test, or the file that is being loaded: no fault of what is tested. */
export function notRun(why: string): never {
  const running = TestRunner.getCurrentTest()
  if (running?.type !== 'test') throw new NotRun(why)
  running.meta.notRun = why
  return running.context.skip(why)
}
