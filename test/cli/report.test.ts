import { describe, expect, it } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { about, reportFailure } from '../../src/cli/report.ts'
import { NO_SUBJECT } from '../../src/cli/subject.ts'
import { createUi } from '../../src/cli/ui.ts'
import { finding, ZappError } from '../../src/errors.ts'

async function report(thrown: unknown, { json = false, debug = false, signal = new AbortController().signal } = {}) {
  const written = { stdout: '', stderr: '' }
  const io: Io = {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    cwd: '/',
    env: {},
    signal,
    passSignals: () => {},
    onSignal: () => {},
    version: '1.0.0',
  }
  return { code: await reportFailure(createUi(io, json), thrown, debug), ...written }
}

describe('a fault of Zapp', () => {
  const fault = new TypeError('x is not a function', { cause: new Error('because\u001b[2J') })

  it('is INTERNAL, without a stack', async () => {
    expect(await report(fault)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error INTERNAL\n  x is not a function\n  fix: Report it with the command and the archive.\n',
    })
    expect(JSON.parse((await report(fault, { json: true })).stdout).error.code).toBe('INTERNAL')
    expect(await report('thrown text')).toMatchObject({ code: 1, stderr: expect.stringContaining('  thrown text\n') })
  })

  it('shows its stack and its causes with --debug, on stderr with --json too', async () => {
    const { stderr } = await report(fault, { debug: true })
    expect(stderr).toMatch(/\nTypeError: x is not a function\n {4}at /)
    expect(stderr).toMatch(/\nError: because\\u001b\[2J\n {4}at /)
    const json = await report(fault, { debug: true, json: true })
    expect(JSON.parse(json.stdout).error.code).toBe('INTERNAL')
    expect(json.stderr).toMatch(/^TypeError: x is not a function\n {4}at /)
  })
})

it('an error of the operating system is IO', async () => {
  const error = Object.assign(new Error("ENOSPC: no space left on device, write '/x'"), { syscall: 'write' })
  expect(await report(error)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error IO\n {2}write failed: ENOSPC/),
  })
})

it('ten findings are shown of many, and the command that shows all', async () => {
  const findings = Array.from({ length: 1234 }, (_, i) => finding('NAME_DEVICE', `CON${i}`, { name: `CON${i}` }))
  const error = new ZappError(findings[0]!, findings)
  const subject = { ...NO_SUBJECT, file: 'a.zapp', kind: 'archive' as const }
  const thrown = await about(subject, () => Promise.reject(error)).catch((caught) => caught)
  const { stderr } = await report(thrown)
  expect(stderr.match(/^error NAME_DEVICE/gm)).toHaveLength(10)
  expect(stderr).toMatch(/\n\nand 1,224 more: zapp validate a\.zapp\n$/)
  expect(JSON.parse((await report(thrown, { json: true })).stdout).findings).toHaveLength(1234)
})

describe('a signal', () => {
  it('ends with its number, whatever the abort threw', async () => {
    const signal = AbortSignal.abort('SIGTERM')
    for (const thrown of ['SIGTERM', new DOMException('aborted', 'AbortError')]) {
      expect(await report(thrown, { signal })).toEqual({ code: 143, stdout: '', stderr: 'stopped by SIGTERM\n' })
    }
  })

  it('does not hide an error that has another reason', async () => {
    const thrown = new ZappError(finding('CRC', 'a', { expected: '1', got: '2' }))
    expect(await report(thrown, { signal: AbortSignal.abort('SIGINT') })).toMatchObject({ code: 1 })
  })
})
