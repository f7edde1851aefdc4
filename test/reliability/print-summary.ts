import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { isKept, type PromiseLine, textOf } from './promise-line.ts'

/** Every file of the suite has a process of its own: their lines meet in a file, and are told together at the end. */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'zapp-reliability-'))
  const file = join(folder, 'lines')
  writeFileSync(file, '')
  project.provide('lines', file)
  return () => {
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((text) => (text === '' ? [] : [JSON.parse(text) as PromiseLine]))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    rmSync(folder, { recursive: true })
    const kept = lines.filter(isKept).length
    console.log(['', ...lines.map(textOf), `${kept} of ${lines.length} promises kept`].join('\n'))
  }
}
