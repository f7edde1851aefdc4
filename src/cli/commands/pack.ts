import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import { detectProject } from '../../pack/detect.ts'
import { type PackOptions, type PackResult, pack as packProject, type SizeRow } from '../../pack/pack.ts'
import { type PackPlan, type PlanOptions, planPack } from '../../pack/plan.ts'
import { type CliCommand, collect, helpText, JSON_OPTION } from '../command.ts'
import { identity, renderSections, type Section, shapeSections } from '../describe-manifest.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formatBytes, formatCount, formatTime } from '../format.ts'
import { createProgress } from '../progress.ts'
import { renderFindings } from '../render-finding.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { folderSubject, type Subject } from '../subject.ts'
import { saySuggestion } from '../suggest.ts'
import { renderTable } from '../table.ts'
import type { Ui } from '../ui.ts'
import { usage } from '../usage.ts'

interface PackFlags {
  out?: string
  allowSecret?: string[]
  dryRun?: boolean
  executable?: boolean
  collectstatic?: boolean
  python?: string
  platform?: string[]
  json?: boolean
}

/** Rows of the size report, and names of what was left out, in the short form. */
const SHOWN = 6

export const pack: CliCommand<[dir?: string], PackFlags> = {
  define(command) {
    command
      .option('-o, --out <file>', 'the archive to write; default: ./NAME-VERSION.zapp')
      .option('--allow-secret <name>', 'pack a file that looks like a secret; may be repeated', collect)
      .option('--python <version>', 'of a Python app: the version that wheels are for; default: the one that is found')
      .option('--platform <tag>', 'of a Python app: the platform that wheels are for; may be repeated', collect)
      .option('--executable', 'of a Python app: a file that starts by itself')
      .option('--collectstatic', 'of a Django project: run its collectstatic first, in a copy')
      .option('--dry-run', 'list what would be packed, write nothing')
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'Without a zapp.json a project is packed where it leaves no doubt what it is;',
            'otherwise the suggested manifest is printed and the exit code is 1.',
          ],
          ['zapp pack', "this folder's project"],
          ['zapp pack app -o build/app.zapp', 'another folder, another file'],
          ['zapp pack --dry-run', 'only show what would be packed'],
          ['zapp pack --python 3.12', 'with wheels for another Python'],
          ['zapp pack > zapp.json', 'keep the suggested manifest'],
        ),
      )
  },

  async run(ui, [dir = '.'], flags) {
    const out = flags.out
    if (out !== undefined && (await isFolder(ui.path(out)))) {
      throw usage(`--out must be a file, got the folder ${JSON.stringify(out)}`, 'pack')
    }
    const subject = folderSubject(ui, dir, ...(out === undefined ? [] : [out]))
    return about(subject, async () => {
      const options = {
        allowSecrets: flags.allowSecret ?? [],
        target: targetOf(flags),
        executable: flags.executable ?? false,
        collectStatic: flags.collectstatic ?? false,
        signal: ui.io.signal,
        ...(out === undefined ? {} : { out: ui.path(out) }),
      }
      const plan = await planOrSuggest(ui, subject, dir, options)
      if (plan === undefined) return EXIT.bad
      sayPlan(ui, plan, dir)
      if (flags.dryRun) return dryRun(ui, plan, subject)
      const target = options.out ?? join(ui.io.cwd, plan.defaultName)
      const result = await packWithBar(ui, dir, { ...options, plan, out: target })
      await tell(ui, result, subject)
      return EXIT.done
    })
  },
}

/** What the wheels are for. */
function targetOf({ python, platform = [] }: PackFlags): NonNullable<PlanOptions['target']> {
  if (python !== undefined && !/^3\.(?:9|[1-9]\d)$/.test(python)) {
    throw usage(`--python must be 3.9 or newer, like 3.12, got ${JSON.stringify(python)}`, 'pack')
  }
  const bad = platform.find((tag) => !/^(?:manylinux|musllinux|linux|macosx|win)\w+$/.test(tag))
  if (bad !== undefined) {
    throw usage(
      `--platform must be a tag of wheels like manylinux2014_x86_64, musllinux_1_2_aarch64, macosx_11_0_arm64 or win_amd64, got ${JSON.stringify(bad)}`,
      'pack',
    )
  }
  return { platforms: platform, ...(python === undefined ? {} : { python }) }
}

/** Undefined where the project needs a manifest: then the suggestion is on stdout. */
async function planOrSuggest(
  ui: Ui,
  subject: Subject,
  dir: string,
  options: PlanOptions,
): Promise<PackPlan | undefined> {
  try {
    await refuseEmptyManifest(ui.path(dir))
    return await planPack(ui.path(dir), options)
  } catch (error) {
    await saySuggestion(ui, error, subject)
    return undefined
  }
}

/** In `zapp pack > zapp.json` the shell makes the file before we start: an empty one asks for the suggestion. */
async function refuseEmptyManifest(dir: string): Promise<void> {
  const info = await stat(join(dir, 'zapp.json')).catch(() => undefined)
  if (info?.size !== 0) return
  const { suggestion, because } = await detectProject(dir)
  throw fail('PACK_NO_MANIFEST', 'zapp.json', { reason: 'it is empty', suggestion, because })
}

async function packWithBar(ui: Ui, dir: string, options: PackOptions): Promise<PackResult> {
  const labels = { plan: '', write: 'packing', check: 'checking' }
  const progress = await createProgress(ui)
  try {
    return await packProject(ui.path(dir), {
      ...options,
      signal: ui.io.signal,
      onProgress: ({ phase, done, total }) => progress.update(labels[phase], done, total),
    })
  } finally {
    progress.stop()
  }
}

function sayPlan(ui: Ui, plan: PackPlan, dir: string): void {
  const own = plan.files.filter((file) => !file.dependency).length
  const packages =
    plan.packages.length === 0
      ? ''
      : `: ${own.toLocaleString('en-US')} of the project, the others of ${formatCount(plan.packages.length, 'package')}`
  const leftOut = plan.leftOut.map(({ path }) => safeText(path))
  const more = leftOut.length - SHOWN
  const sections: Section[] = [
    { title: 'found', rows: [...(plan.because ?? []), ...plan.python.notes].map((line) => [safeText(line)]) },
    ...shapeSections(plan.manifest),
    {
      title: 'files',
      rows: [[`${formatCount(plan.files.length, 'file')}, ${formatBytes(plan.bytes)}${packages}`]],
    },
    {
      title: 'left out',
      rows:
        leftOut.length === 0
          ? []
          : [[leftOut.slice(0, SHOWN).join('  ') + (more > 0 ? `  and ${more} more (--dry-run lists them)` : '')]],
    },
  ]
  ui.say(`${ui.talk.bold(identity(plan.manifest))} from ${safeText(dir)}`, '', ...renderSections(sections, ui.talk), '')
}

async function dryRun(ui: Ui, plan: PackPlan, subject: Subject): Promise<ExitCode> {
  ui.warn(...(await renderFindings(plan.warnings, subject, ui.talk)))
  const leftOut = plan.leftOut.map(({ path, rule, from }) => ({ path, rule, from }))
  if (ui.json) {
    ui.data({
      file: plan.defaultName,
      bytes: plan.bytes,
      files: plan.files.map(({ path, size }) => ({ path, size })),
      leftOut,
    })
    return EXIT.done
  }
  const rows = leftOut.map(({ path, rule, from }) => [safeText(path), safeText(rule), safeText(from)])
  if (rows.length > 0) ui.say('Left out, by which pattern, from where:', ...renderTable(rows), '')
  ui.out(...plan.files.map(({ path }) => safeText(path)))
  return EXIT.done
}

async function tell(ui: Ui, result: PackResult, subject: Subject): Promise<void> {
  const { bytes, files, digest, contentDigest, ms, report, warnings } = result
  const file = ui.name(result.file)
  ui.warn(...(await renderFindings(warnings, subject, ui.talk)))
  if (ui.json) {
    ui.data({ file, bytes, files, digest, contentDigest, ms })
    return
  }
  if (warnings.length > 0) ui.say('')
  ui.say(...renderReport(report, ui), '')
  ui.say(`${formatCount(files, 'file')} packed into ${formatBytes(bytes)} in ${formatTime(ms)}`)
  ui.out(safeText(file))
}

function renderReport(report: readonly SizeRow[], ui: Ui): string[] {
  const rows = report
    .slice(0, SHOWN)
    .map(({ path, package: name, files, size, compressedSize }) => [
      safeText(name ?? path),
      files.toLocaleString('en-US'),
      formatBytes(size),
      formatBytes(compressedSize),
    ])
  const head = ['largest', 'files', 'size', 'packed']
  return renderTable([head, ...rows], { right: [1, 2, 3], paint: (text, r) => (r === 0 ? ui.talk.dim(text) : text) })
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}
