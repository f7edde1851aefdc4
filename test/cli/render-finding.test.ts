import picocolors from 'picocolors'
import { describe, expect, it } from 'vitest'
import { findingJson, renderFindings } from '../../src/cli/render-finding.ts'
import type { Subject } from '../../src/cli/subject.ts'
import { wrap } from '../../src/cli/wrap.ts'
import { finding, warning } from '../../src/errors.ts'

const archive: Subject = {
  file: 'my shop.zapp',
  kind: 'archive',
  names: new Map([['/srv/my shop.zapp', 'my shop.zapp']]),
  text: async () => '{\n  "version": "1.2"\n}',
}
const render = async (f: ReturnType<typeof finding>, subject = archive, width = 80) =>
  (await renderFindings([f], subject, { ...picocolors.createColors(false), width })).join('\n')

describe('the place of a finding', () => {
  it('is the archive and the entry', async () => {
    expect(await render(finding('NAME_DOT_SEGMENT', '../x', { name: '../x' }))).toBe(
      [
        'error NAME_DOT_SEGMENT  my shop.zapp › ../x',
        '  a name must hold no "." or ".." segment, got "../x"',
        '  fix: Rename the file.',
      ].join('\n'),
    )
  })

  it('is the archive where the finding has no entry, and the next step can be pasted into a shell', async () => {
    expect(await render(finding('EOCD_COMMENT', '', { length: 5 }))).toBe(
      [
        'error EOCD_COMMENT  my shop.zapp',
        '  the archive comment must be empty, got 5 bytes',
        "  fix: Run: zapp repack 'my shop.zapp'",
      ].join('\n'),
    )
  })

  it('is the file below a folder, with line and column', async () => {
    const f = { ...finding('MANIFEST_VALUE', 'zapp.json', { key: 'version', expected: 'a version', got: '1.2' }) }
    const subject = { ...archive, file: 'app/', kind: 'folder' as const }
    expect(await render({ ...f, line: 2, column: 14 }, subject)).toBe(
      [
        'error MANIFEST_VALUE  app/zapp.json:2:14',
        '  "version" must be a version, got "1.2"',
        '  2 |   "version": "1.2"',
        '    |              ^^^^^',
        '  fix: Change the value.',
      ].join('\n'),
    )
    expect(await render({ ...f, line: 2, column: 14 }, { ...subject, file: '.' })).toContain('  zapp.json:2:14\n')
  })

  it('is what was typed, never the absolute path', async () => {
    const f = finding('NOT_FOUND', '/srv/my shop.zapp', { file: '/srv/my shop.zapp' })
    expect(await render(f)).toBe(
      ['error NOT_FOUND  my shop.zapp', "  'my shop.zapp' must exist", '  fix: Check the path.'].join('\n'),
    )
    expect(findingJson(f, archive)).toEqual({
      code: 'NOT_FOUND',
      severity: 'error',
      path: 'my shop.zapp',
      message: "'my shop.zapp' must exist",
      fix: 'Check the path.',
    })
  })
})

it('escapes hostile names in the place and in the text', async () => {
  const hostile = '\u001b]0;x\u0007\u202e/a'
  const text = await render(warning('NAME_CONTROL', hostile, { name: hostile }))
  expect(text).toContain('my shop.zapp › \\u001b]0;x\\u0007\\u202e/a')
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
})

it('wraps at the width with hanging indentation, and not at all without a terminal', async () => {
  const f = finding('ZIP64', '')
  expect(await render(f, archive, 50)).toBe(
    [
      'error ZIP64  my shop.zapp',
      '  zip64 structures must be absent: version 1 of',
      '  the format holds at most 65,534 entries and less',
      '  than 4 GiB',
      '  fix: Leave files out, or keep large data outside',
      '       the archive.',
    ].join('\n'),
  )
  expect((await render(f, archive, Number.POSITIVE_INFINITY)).split('\n')).toHaveLength(3)
  expect(wrap('aaaaaaaaaa b', 4, '', '')).toEqual(['aaaaaaaaaa', 'b'])
})

it('has the members of the contract in their order', () => {
  const f = { ...finding('MANIFEST_SYNTAX', 'zapp.json', { expected: 'a value', got: '}' }), line: 1, column: 2 }
  expect(Object.keys(findingJson(f, archive))).toEqual(['code', 'severity', 'path', 'line', 'column', 'message', 'fix'])
})
