import { TestRunner, test } from 'vitest'

/** Runs the tests; a file whose needs are not to be had is one test that is skipped and tells why. */
export default class InteropRunner extends TestRunner {
  override async importFile(path: string, source: 'collect' | 'setup'): Promise<void> {
    try {
      await super.importFile(path, source)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'NotRun') throw error
      test.skip('all of this file', { meta: { notRun: error.message } }, () => {})
      console.log(`not run: ${error.message}`)
    }
  }
}
