import { shellWord } from '../../format/shell-word.ts'
import { address } from '../address.ts'
import { lines, steps } from '../lines.ts'
import { onceSteps, redeployStep } from '../preparation.ts'
import { LOADER, loadOptions, titleOf } from '../python-script.ts'
import { pythonString } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/** A configuration file of gunicorn 20.1 and newer, which is Python. */
export function gunicorn(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { host, port, socket, processes, threads, python, folder, secrets } = settings
  const name = `${subject.manifest.name}.gunicorn.py`
  const options = loadOptions(settings)
  const pidfile = `${settings.cache}/gunicorn.pid`
  const values = Object.entries(settings.config).map(([key, value]) => pythonString(`${key}=${value}`))
  const text = lines(
    steps(
      `${titleOf(subject)} in gunicorn`,
      ...onceSteps(settings),
      ['As user', settings.user],
      ['Start', `${shellWord(python)} -m gunicorn -c ${shellWord(`${folder}/${name}`)}`],
      redeployStep(subject, `kill -HUP $(cat ${shellWord(pidfile)})`),
    ),
    '',
    subject.hasLoader && ['import os', 'import sys', ''],
    `ARCHIVE = ${pythonString(subject.file)}`,
    `wsgi_app = "zapp:load({!r}, ${options.map(([option]) => `${option}={!r}`).join(', ')})".format(`,
    `    ARCHIVE, ${options.map(([, value]) => pythonString(value)).join(', ')}`,
    ')',
    `bind = ${pythonString(socket === undefined ? address(host, port) : `unix:${socket}`)}`,
    `workers = ${processes}`,
    `threads = ${threads}`,
    `pidfile = ${pythonString(pidfile)}`,
    '# Where there is one, it would be in HOME, and the same for every app.',
    `control_socket = ${pythonString(`${settings.cache}/gunicorn.ctl`)}`,
    values.length > 0 && `raw_env = [${values.join(', ')}]`,
    secrets.length > 0 && [
      `# Lines of NAME=VALUE, for this user's eyes only: ${secrets.join(', ')}`,
      `with open(${pythonString(settings.envFile)}, encoding="utf-8") as file:`,
      `    lines = [line.rstrip("\\r\\n") for line in file]`,
      `raw_env = [${values.length > 0 ? '*raw_env, ' : ''}*(line for line in lines if "=" in line and line[0] != "#")]`,
    ],
    subject.hasLoader && [
      '',
      '',
      '# In the workers only: the master lives on when another archive has taken the place of this one.',
      'def post_fork(server, worker):',
      ...LOADER.map((line) => `    ${line}`),
    ],
  )
  return [{ name, text }]
}
