import { stat } from 'node:fs/promises'
import { fileSource } from '../../archive/source.ts'
import { validateArchive } from '../../archive/validate.ts'
import { type Finding, finding, ZappError } from '../../errors.ts'
import { DEFAULT_LIMITS } from '../../format/limits.ts'
import { parseManifest } from '../../format/manifest-parse.ts'
import { planPack } from '../../pack/plan.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT, type ExitCode, exitCodeFor } from '../exit-codes.ts'
import { formatCount } from '../format.ts'
import { findingJson, renderFindings } from '../render-finding.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject, folderSubject, manifestSubject, type Subject } from '../subject.ts'
import type { Ui } from '../ui.ts'

interface Verdict {
  readonly subject: Subject
  readonly findings: readonly Finding[]
}

/**
 * With `--json`: `{valid, findings}`. Where several paths are given it is the same document over all of them, and
 * every finding has one more member, `file`.
 */
export const validate: CliCommand<[paths: string[]], { json?: boolean }> = {
  define(command) {
    command
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'An archive is checked byte by byte, a folder as a project before it is packed,',
            'a file whose name ends in .json as a manifest by itself. Warnings do not fail.',
          ],
          ['zapp validate shop-1.2.0.zapp', 'layout, content, manifest'],
          ['zapp validate .', 'this project, before it is packed'],
          ['zapp validate */zapp.json', 'several manifests'],
        ),
      )
  },

  async run(ui, [paths]) {
    const verdicts: Verdict[] = []
    for (const path of paths) {
      const verdict = await judge(ui, path)
      if (!ui.json) await show(ui, verdict, verdicts.length === 0)
      verdicts.push(verdict)
    }
    if (ui.json) ui.data(verdictJson(verdicts))
    return Math.max(...verdicts.map(exitCode)) as ExitCode
  },
}

async function judge(ui: Ui, path: string): Promise<Verdict> {
  const absolute = ui.path(path)
  if ((await stat(absolute).catch(() => undefined))?.isDirectory()) {
    const subject = folderSubject(ui, path)
    return caught(subject, async () => ({ subject, findings: (await planPack(absolute)).warnings }))
  }
  if (/\.json$/i.test(path)) return caught(manifestSubject(ui, path), () => judgeManifest(ui, path))
  const subject = archiveSubject(ui, path)
  return caught(subject, async () => {
    return { subject, findings: (await validateArchive(absolute, { signal: ui.io.signal })).findings }
  })
}

async function judgeManifest(ui: Ui, path: string): Promise<Verdict> {
  const source = await fileSource(ui.path(path))
  try {
    const limit = DEFAULT_LIMITS.manifestBytes
    if (source.size > limit) {
      throw new ZappError(finding('MANIFEST_TOO_LARGE', path, { limit, got: source.size }))
    }
    const { findings, text } = parseManifest(await source.read(0, source.size), { file: path })
    return { subject: manifestSubject(ui, path, text), findings }
  } finally {
    await source.close()
  }
}

/** A path that cannot be read is a finding like any other, so that the paths after it are still checked. */
async function caught(subject: Subject, work: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ZappError) return { subject, findings: error.findings }
    throw error
  }
}

async function show(ui: Ui, { subject, findings }: Verdict, first: boolean): Promise<void> {
  const lines = await renderFindings(findings, subject, ui.paint)
  if (lines.length > 0) ui.out(...(first ? [] : ['']), ...lines, '')
  const errors = findings.filter((f) => f.severity === 'error').length
  const counts = [
    ...(errors > 0 ? [formatCount(errors, 'error')] : []),
    ...(findings.length > errors ? [formatCount(findings.length - errors, 'warning')] : []),
  ]
  const { green, red } = ui.paint
  const state =
    errors === 0 ? green('valid') : red(exitCode({ subject, findings }) === EXIT.usage ? 'not checked' : 'invalid')
  ui.out(`${safeText(subject.file)}: ${[state, ...counts].join(', ')}`)
}

function exitCode({ findings }: Verdict): ExitCode {
  return Math.max(
    EXIT.done,
    ...findings.filter((f) => f.severity === 'error').map((f) => exitCodeFor(f.code)),
  ) as ExitCode
}

function verdictJson(verdicts: readonly Verdict[]): object {
  const several = verdicts.length > 1
  return {
    valid: verdicts.every(({ findings }) => findings.every((f) => f.severity !== 'error')),
    findings: verdicts.flatMap(({ subject, findings }) =>
      findings.map((f) => ({ ...(several ? { file: subject.file } : {}), ...findingJson(f, subject) })),
    ),
  }
}
