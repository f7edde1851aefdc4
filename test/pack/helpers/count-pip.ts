import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { tmpDir } from '../../helpers/tmp.ts'

/** A program that counts how often pip is asked for packages. @param rest what it does then, in sh */
export async function countingPython(rest: string): Promise<{ dir: string; command: string; asked: () => number }> {
  const dir = await tmpDir()
  const [log, command] = [join(dir, 'log'), join(dir, 'python3')]
  await writeFile(log, '')
  await writeFile(command, `#!/bin/sh\ncase "$*" in *"pip download"*) echo >> ${log};; esac\n${rest}\n`)
  await chmod(command, 0o755)
  return { dir, command, asked: () => readFileSync(log, 'utf8').length }
}

/** Until the test ends `python3` is one that counts. @returns how often since */
export async function countPip(): Promise<() => number> {
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)']).toString().trim()
  const { dir, asked } = await countingPython(`exec ${python} "$@"`)
  vi.stubEnv('PATH', `${dir}:${process.env.PATH}`)
  onTestFinished(() => void vi.unstubAllEnvs())
  return asked
}
