import { existsSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { openArchive } from '../../archive/archive.ts'
import { emit as emitFiles } from '../../emit/emit.ts'
import type { EmittedFile } from '../../emit/subject.ts'
import { systemdHost } from '../../emit/targets/systemd-host.ts'
import { TARGETS, type TargetName } from '../../emit/targets.ts'
import { fail } from '../../errors.ts'
import { findRoot } from '../../host/sources.ts'
import { type CliCommand, collect, helpText, JSON_OPTION } from '../command.ts'
import { type EmitFlags, emitSettings, hostEmitSettings } from '../emit-settings.ts'
import { EXIT } from '../exit-codes.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'
import { usage } from '../usage.ts'

export const emit: CliCommand<[target: TargetName, file: string], EmitFlags> = {
  define(command) {
    command.registeredArguments[0]?.choices(Object.keys(TARGETS))
    command
      .option('--mount <path>', 'where the app answers; default /')
      .option('--host <address>', 'where the server listens; default 127.0.0.1')
      .option('-p, --port <port>', 'default 8000, of zapp serve 8080', number(65_535))
      .option('--socket <path>', 'a Unix socket instead of host and port')
      .option('--processes <count>', "default: the manifest's, or 2", number(256))
      .option('--threads <count>', "in each process; default: the manifest's, or 4", number(256))
      .option('--user <name>', 'whom the app runs as; default www-data')
      .option('--cache <dir>', 'default /var/cache/zapp-NAME')
      .option('--data <dir>', "where the app's data folders are; default /var/lib/zapp-NAME")
      .option('--config <name[=value]>', 'a value to print; without one it goes into the env file', collect)
      .option('--config-file <path>', 'lines of NAME=VALUE for secrets; default /etc/zapp/NAME.env')
      .option('--python <path>', "the interpreter; default python3, that of Apache's or uWSGI's plugin")
      .option('--daemon', "mod_wsgi: in processes of the app's own")
      .option('--uwsgi', 'nginx: what is behind the socket is uWSGI')
      .option('-o, --out <dir>', 'write the files there; replaces none')
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'Prints the configuration that makes a server run the archive, and what to do',
            'with it in comments. Secrets are never printed: a file is named for them.',
          ],
          ['zapp emit gunicorn shop.zapp --mount /shop', 'to look at'],
          ['zapp emit mod_wsgi shop.zapp -o /srv/apps', 'two files'],
          ['zapp emit systemd /srv/apps', 'a whole host'],
          ['zapp emit nginx shop.zapp --socket /run/s --uwsgi', 'in front of uWSGI'],
        ),
      )
  },

  async run(ui, [target, file], flags) {
    const path = ui.path(file)
    if (/\p{Cc}/u.test(path)) throw usage(`the path must be of visible characters, got ${JSON.stringify(path)}`, 'emit')
    const isHost = target === 'systemd' && (await findRoot(path).catch(() => undefined))?.kind === 'folder'
    const files = await about(archiveSubject(ui, file), async () => {
      if (isHost) return systemdHost(hostEmitSettings(path, flags))
      const archive = await openArchive(path)
      try {
        const { manifest, entries } = archive
        const hasLoader = entries.has('ZAPP-INF/lib/zapp/__init__.py')
        const subject = { manifest, file: path, hasLoader, isProgram: await isProgram(path) }
        return emitFiles(target, subject, emitSettings(ui, target, manifest, path, flags))
      } finally {
        await archive.close()
      }
    })
    if (flags.out !== undefined) await write(ui.path(flags.out), files)
    if (ui.json) ui.data({ files })
    else if (flags.out !== undefined)
      ui.out(...files.map(({ name }) => safeText(ui.name(join(ui.path(flags.out!), name)))))
    else
      ui.out(
        files
          .map(({ name, text }) => (files.length > 1 ? `# ==> ${name} <==\n${text}` : text))
          .join('\n')
          .trimEnd(),
      )
    return EXIT.done
  },
}

async function isProgram(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return buffer.toString('latin1') === '#!'
  } finally {
    await handle.close()
  }
}

/** @throws ZappError TARGET_EXISTS before anything is written */
async function write(folder: string, files: readonly EmittedFile[]): Promise<void> {
  const found = files.map(({ name }) => join(folder, name)).filter((target) => existsSync(target))
  if (found[0] !== undefined) throw fail('TARGET_EXISTS', '', { target: found[0] })
  await mkdir(folder, { recursive: true })
  for (const { name, text } of files) {
    // Programs are told by their first line, as in archives.
    const mode = text.startsWith('#!') ? 0o755 : 0o644
    await writeFile(join(folder, name), text, { flag: 'wx', mode })
  }
}

function number(most: number): (text: string) => number {
  return (text) => {
    if (/^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= most) return Number(text)
    throw new InvalidArgumentError(`It must be a number from 1 to ${most}.`)
  }
}
