import { appendFileSync } from 'node:fs'
import { expect, inject, it } from 'vitest'
import { type Figure, type PromiseLine, textOf } from './promise-line.ts'
import { FULL } from './size.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    lines: string
  }
}

export interface PromiseOptions {
  /** It waits more than it works: beside the others of its file. */
  readonly concurrent?: boolean
}

/**
 * A promise as a test: its line is printed whatever comes out, and it fails where a figure misses its mark. Times are told
 * at every size, and judged at full size: no change is refused because its machine was busy.
 */
export function promise(
  id: string,
  words: string,
  measure: (notRun: (why: string) => void) => Promise<readonly Figure[]>,
  { concurrent = false }: PromiseOptions = {},
): void {
  it(`${id} ${words}`, { concurrent }, async () => {
    const notRun: string[] = []
    let figures: readonly Figure[] = []
    try {
      figures = await measure((why) => notRun.push(why))
    } catch (error) {
      figures = [{ text: `it could not be measured: ${error}`, mark: '', kept: false }]
      throw error
    } finally {
      const line: PromiseLine = { id, words, figures, notRun }
      process.stdout.write(`${textOf(line)}\n`)
      appendFileSync(inject('lines'), `${JSON.stringify(line)}\n`)
    }
    expect(figures.filter(({ kept, timed }) => !kept && (FULL || !timed))).toEqual([])
  })
}
