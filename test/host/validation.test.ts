import { readdirSync } from 'node:fs'
import { access, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { REJECTED_DIR } from '../../fixtures/make/files.ts'
import type { ZappError } from '../../src/errors.ts'
import { openStore } from '../../src/host/store.ts'
import { earlyValidators } from '../../src/host/validation/early-validators.ts'
import { ValidatorProcess } from '../../src/host/validation/validator-process.ts'
import { Validators } from '../../src/host/validation/validators.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { descendants } from '../helpers/processes.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { says } from './helper.ts'

const good = await makeArchive(await tmpDir(), { title: 'Good' }, says('x'))

it('judges what is dropped as every loader does, and gives the manifest of what is right', async () => {
  const validators = new Validators()
  const names = readdirSync(REJECTED_DIR).filter((name) => name.endsWith('.zapp'))
  const codes = await Promise.all(
    names.map((name) =>
      validators.judge(join(REJECTED_DIR, name)).then(
        () => 'accepted',
        ({ code }: ZappError) => code,
      ),
    ),
  )
  expect(codes).toEqual(names.map((name) => name.split('--')[0]))
  expect(JSON.parse(await validators.judge(good))).toMatchObject({ title: 'Good' })
  validators.close()
})

it('VALIDATION_ENDED where the process ends instead of answering, and is asked no more', async () => {
  let onEnded = () => {}
  const ended = new Promise<void>((resolve) => {
    onEnded = resolve
  })
  const validator = new ValidatorProcess(() => onEnded())
  const verdict = validator.judge(good)
  process.kill(validator.pid ?? 0, 'SIGKILL')
  await expect(verdict).rejects.toMatchObject({
    code: 'VALIDATION_ENDED',
    args: { reason: expect.stringMatching(/SIGKILL/) },
  })
  expect(validator.alive).toBe(false)
  await ended
  await expect(validator.judge(good)).rejects.toMatchObject({ code: 'VALIDATION_ENDED' })
})

it.runIf(process.platform === 'linux')(
  'a process that waits is asked; one that died while it waited is not',
  async () => {
    const validators = new Validators()
    validators.expect()
    validators.expect()
    const [first = 0, ...others] = descendants(process.pid)
    expect(others).toEqual([])
    expect(JSON.parse(await validators.judge(good))).toMatchObject({ title: 'Good' })
    expect(descendants(process.pid)).toEqual([first])
    process.kill(first, 'SIGKILL')
    await expect.poll(() => descendants(process.pid)).toEqual([])
    expect(JSON.parse(await validators.judge(good))).toMatchObject({ title: 'Good' })
    validators.close()
  },
)

it.runIf(process.platform === 'linux')(
  'a host that never judged anything starts a process before it is asked',
  async () => {
    const [state, cache] = [await tmpDir(), await tmpDir()]
    for (const [dir, folder] of [
      [undefined, join(cache, 'v1/checked')],
      [state, join(state, 'store')],
    ] as const) {
      const first = await earlyValidators(dir, cache)
      expect(descendants(process.pid)).toHaveLength(1)
      first.close()
      await expect.poll(() => descendants(process.pid)).toEqual([])
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `${'0'.repeat(64)}.json`), '{}')
      await earlyValidators(dir, cache)
      expect(descendants(process.pid)).toEqual([])
    }
  },
)

it.runIf(process.platform === 'linux')('what waits ends when nothing is to be judged for a while', async () => {
  const validators = new Validators()
  const verdict = validators.judge(good)
  validators.rest()
  expect(JSON.parse(await verdict)).toMatchObject({ title: 'Good' })
  const [waiting] = descendants(process.pid)
  validators.rest()
  await expect.poll(() => descendants(process.pid)).not.toContain(waiting)
  expect(JSON.parse(await validators.judge(good))).toMatchObject({ title: 'Good' })
  validators.close()
})

it('the process is asked again, and ends when it is needed no more', async () => {
  const ended = new Promise<number | undefined>((resolve) => {
    const validator: ValidatorProcess = new ValidatorProcess(() => resolve(validator.pid))
    void validator
      .judge(good)
      .then(() => validator.judge(good))
      .then(() => validator.end())
  })
  const pid = (await ended) ?? 0
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

it('what was checked is not checked again: of these bytes, in whichever store', async () => {
  const receipts = await tmpDir()
  let judged = 0
  const judge = async () => {
    judged++
    return '{"zapp":1,"name":"hello","version":"1.0.0"}'
  }
  const texts: string[] = []
  for (const dir of [await tmpDir(), await tmpDir()]) {
    const file = join(dir, 'a.zapp')
    await copyFile(good, file)
    const store = await openStore({ dir, judge, receipts })
    const stored = await store.copy(file)
    texts.push(await store.manifestText(stored))
    await stored.release()
  }
  expect(judged).toBe(1)
  expect(texts[1]).toBe(texts[0])
})

it('a copy that is wanted again while it is removed is whole, or not there', async () => {
  const dir = await tmpDir()
  const store = await openStore({ dir, judge: async () => '{}' })
  for (let i = 0; i < 50; i++) {
    const stored = await store.copy(good)
    const [, again] = await Promise.all([stored.release(), store.hold(stored.digest)])
    if (again) await access(again.file)
    await again?.release()
  }
})
