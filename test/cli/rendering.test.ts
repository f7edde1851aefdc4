import { describe, expect, it } from 'vitest'
import { EXIT, exitCodeFor, exitCodeForSignal } from '../../src/cli/exit-codes.ts'
import { formatBytes, formatCount, formatTime } from '../../src/cli/format.ts'
import { renderSizeTree } from '../../src/cli/size-tree.ts'
import { renderTable } from '../../src/cli/table.ts'

it('formats numbers for people', () => {
  expect([0, 999, 1000, 9_949, 9_950, 27_300_000, 999_499, 999_500, 4 * 2 ** 30].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '9.9 kB',
    '10 kB',
    '27 MB',
    '999 kB',
    '1.0 MB',
    '4.3 GB',
  ])
  expect([formatCount(1, 'file'), formatCount(1204, 'file'), formatCount(0, 'entry', 'entries')]).toEqual([
    '1 file',
    '1,204 files',
    '0 entries',
  ])
  expect([formatTime(84.2), formatTime(999), formatTime(1449)]).toEqual(['84 ms', '999 ms', '1.4 s'])
})

describe('renderTable', () => {
  it('aligns by cells and leaves no blanks at the end of a line', () => {
    expect(
      renderTable(
        [
          ['日本', '5', 'x'],
          ['abcdef', '1,000', ''],
        ],
        { right: [1] },
      ),
    ).toEqual(['  日本        5  x', '  abcdef  1,000'])
  })
})

describe('renderSizeTree', () => {
  const file = (path: string, compressedSize: number) => ({ path, size: compressedSize * 3, compressedSize })

  it('shows folders, packages with their scope, and single files, the largest first', () => {
    const files = [
      file('app.js', 10),
      file('node_modules/express/index.js', 100),
      file('node_modules/express/lib/a.js', 200),
      file('node_modules/@scope/one/a.js', 50),
      file('node_modules/@scope/two/a.js', 60),
      file('public/a.css', 1000),
    ]
    expect(renderSizeTree(files, (text) => text)).toEqual([
      '                 files    size  in zip',
      '  public/            1  3.0 kB  1.0 kB',
      '  node_modules/      4  1.2 kB   410 B',
      '    express/         2   900 B   300 B',
      '    @scope/two/      1   180 B    60 B',
      '    @scope/one/      1   150 B    50 B',
      '  app.js                  30 B    10 B',
    ])
  })

  it('sums up what is small', () => {
    const files = Array.from({ length: 30 }, (_, i) => file(`node_modules/p${i}/index.js`, 100 - i))
    const lines = renderSizeTree(files, (text) => text)
    expect(lines).toHaveLength(8)
    expect(lines.at(-1)).toBe('    25 more         25  6.2 kB  2.1 kB')
  })
})

describe('exit codes', () => {
  it('tell a bad thing from a wrong command line', () => {
    expect([exitCodeFor('CRC'), exitCodeFor('TARGET_EXISTS'), exitCodeFor('INTERNAL')]).toEqual([1, 1, 1])
    expect([exitCodeFor('USAGE'), exitCodeFor('NOT_FOUND'), exitCodeFor('NOT_A_FILE')]).toEqual([2, 2, 2])
    expect([exitCodeForSignal('SIGINT'), exitCodeForSignal('SIGTERM'), EXIT.done]).toEqual([130, 143, 0])
  })
})
