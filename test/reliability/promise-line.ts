import { FULL } from './size.ts'

/** One thing measured: in words with its figure, beside what it has to be. */
export interface Figure {
  readonly text: string
  /** `""` where the figure only says how much was tried. */
  readonly mark: string
  readonly kept: boolean
  /** A time: it says as much about what else the machine does. */
  readonly timed?: boolean
}

export interface PromiseLine {
  readonly id: string
  readonly words: string
  readonly figures: readonly Figure[]
  /** Why a part was not measured on this machine. */
  readonly notRun: readonly string[]
}

export const number = (value: number) => Math.round(value).toLocaleString('en-US')

/** How much was tried. */
export const tried = (text: string): Figure => ({ text, mark: '', kept: true })

/** @param what is counted, in the plural */
export const none = (what: string, count: number, of?: number): Figure => ({
  text: `${number(count)} ${what}${of === undefined ? '' : ` of ${number(of)}`}`,
  mark: '0',
  kept: count === 0,
})

export const atMost = (what: string, value: number, limit: number, unit = ''): Figure => ({
  text: `${what} ${number(value)}${unit}`,
  mark: `at most ${number(limit)}${unit}`,
  kept: value <= limit,
  timed: unit === ' ms',
})

export const atLeast = (what: string, value: number, limit: number, unit = ''): Figure => ({
  text: `${what} ${number(value)}${unit}`,
  mark: `at least ${number(limit)}${unit}`,
  kept: value >= limit,
})

export const exactly = (what: string, value: number, right: number): Figure => ({
  text: `${what} ${number(value)}`,
  mark: number(right),
  kept: value === right,
})

export const holds = (text: string, kept: boolean): Figure => ({ text: kept ? text : `not: ${text}`, mark: 'so', kept })

export function isKept({ figures }: PromiseLine): boolean {
  return figures.every(({ kept }) => kept)
}

export function textOf(line: PromiseLine): string {
  const figures = line.figures.map(({ text, mark, kept }) => `${kept ? '' : '✗ '}${text}${mark && ` (mark: ${mark})`}`)
  const notRun = line.notRun.map((why) => `not run: ${why}`)
  const size = FULL ? 'full' : 'small'
  return `${line.id}  ${isKept(line) ? 'pass' : 'FAIL'}  ${line.words} | ${size}: ${[...figures, ...notRun].join('; ')}`
}
