import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import { parseManifest } from '../../format/manifest-parse.ts'
import { type Detection, detectProject } from '../../pack/detect.ts'
import { manifestText } from '../../pack/manifest-text.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { identity, renderSections, shapeSections } from '../describe-manifest.ts'
import { EXIT } from '../exit-codes.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { folderSubject } from '../subject.ts'
import { saySuggestion } from '../suggest.ts'
import type { Ui } from '../ui.ts'
import { usage } from '../usage.ts'

interface InitFlags {
  print?: boolean
  force?: boolean
  json?: boolean
}

/** Where npm puts it when Zapp is one of the project's devDependencies. */
const SCHEMA = './node_modules/zapp/schema/manifest.v1.schema.json'

export const init: CliCommand<[dir?: string], InitFlags> = {
  define(command) {
    command
      .option('--print', 'print the manifest, write nothing')
      .option('--force', 'replace a zapp.json that is there')
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'Looks at the files of a project, runs none of them, and writes a zapp.json with',
            'which it packs; a .zappignore too, where a build made much of it needless. Where',
            'that would be a guess the suggestion is printed and the exit code is 1.',
          ],
          ['zapp init', 'for the project in this folder'],
          ['zapp init app --print', 'only show it'],
        ),
      )
  },

  async run(ui, [dir = '.'], flags) {
    const subject = folderSubject(ui, dir)
    return about(subject, async () => {
      const folder = ui.path(dir)
      await checkFolder(folder, dir)
      const there = await readFile(join(folder, 'zapp.json'), 'utf8').catch(() => undefined)
      if (there && !flags.force && !flags.print) {
        throw usage('zapp.json is there already: --force replaces it, --print shows what it would be', 'init')
      }
      const found = await detectProject(folder)
      if (found.doubt !== undefined) {
        const { suggestion, because, doubt } = found
        await saySuggestion(ui, fail('PACK_NO_MANIFEST', 'zapp.json', { reason: doubt, suggestion, because }), subject)
        return EXIT.bad
      }
      const manifest = { $schema: SCHEMA, ...JSON.parse(found.suggestion) }
      const text = manifestText(manifest)
      sayFound(ui, found, text, dir)
      const files = flags.print ? [] : await write(ui, folder, text, found.ignore)
      if (ui.json) ui.data({ files, because: found.because, manifest, ignore: found.ignore })
      else if (flags.print) ui.out(...text.trimEnd().split('\n').map(safeText))
      else ui.out(...files.map(safeText))
      return EXIT.done
    })
  },
}

async function checkFolder(folder: string, dir: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (!found) throw fail('NOT_FOUND', dir, { file: dir })
  if (!found.isDirectory()) throw fail('NOT_A_FOLDER', dir, { file: dir })
}

/** The names of the files that were written. */
async function write(ui: Ui, folder: string, manifest: string, ignore: readonly string[]): Promise<string[]> {
  const target = join(folder, 'zapp.json')
  await writeFile(target, manifest)
  if (ignore.length === 0) return [ui.name(target)]
  const rules = join(folder, '.zappignore')
  const there = await readFile(rules, 'utf8').catch(() => undefined)
  if (there === undefined) {
    await writeFile(rules, `# The build has taken in what is left out here.\n${ignore.join('\n')}\n`)
    return [ui.name(target), ui.name(rules)]
  }
  const missing = ignore.filter((line) => !there.split(/\r?\n/).includes(line))
  if (missing.length > 0) ui.say(`For .zappignore, which is there already: ${missing.join('  ')}`, '')
  return [ui.name(target)]
}

function sayFound(ui: Ui, { because, ignore }: Detection, text: string, dir: string): void {
  const { manifest } = parseManifest(Buffer.from(text))
  if (!manifest) throw fail('INTERNAL', 'zapp.json', { reason: 'the suggested manifest is none' })
  const sections = [
    { title: 'found', rows: because.map((line) => [safeText(line)]) },
    ...shapeSections(manifest),
    { title: 'needless', rows: ignore.length > 0 ? [[ignore.map(safeText).join('  ')]] : [] },
  ]
  ui.say(`${ui.talk.bold(identity(manifest))} from ${safeText(dir)}`, '', ...renderSections(sections, ui.talk), '')
}
