import { shellWord } from '../../format/shell-word.ts'
import { address } from '../address.ts'
import { lines, steps } from '../lines.ts'
import { onceSteps, redeployStep } from '../preparation.ts'
import { environmentOf, pythonScript, scriptName, titleOf } from '../python-script.ts'
import { uwsgiValue } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/** An ini file of uWSGI 2.0, which is a vassal of its Emperor as well, and the script that it loads. */
export function uwsgi(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { manifest, file } = subject
  const { host, port, socket, processes, threads, user, python, folder } = settings
  const name = `${manifest.name}.uwsgi.ini`
  const script = uwsgiValue(`${folder}/${scriptName(subject)}`)
  const environment = environmentOf(python)
  const text = lines(
    steps(
      `${titleOf(subject)} in uWSGI`,
      ...onceSteps(settings),
      ['As user', user],
      ['Start', `uwsgi --ini ${shellWord(`${folder}/${name}`)}`],
      redeployStep(subject, ''),
    ),
    '',
    '[uwsgi]',
    'strict = true',
    '# Debian has Python in a plugin; elsewhere it is built in, and this line does nothing.',
    'plugin = python3',
    environment !== undefined && `virtualenv = ${uwsgiValue(environment)}`,
    'master = true',
    'die-on-term = true',
    'need-app = true',
    `processes = ${processes}`,
    'enable-threads = true',
    `threads = ${threads}`,
    socket === undefined
      ? `http-socket = ${address(host, port)}`
      : ['# The protocol of uWSGI, for nginx: zapp emit nginx --uwsgi', `socket = ${uwsgiValue(socket)}`],
    socket !== undefined && 'chmod-socket = 660',
    '# Several apps in one uWSGI, instead of the next line: mount = /PATH=SCRIPT for each, and manage-script-name = true',
    `wsgi-file = ${script}`,
    '# The whole body is read first: an app that answers before it has read it would break the connection.',
    'post-buffering = 65536',
    '# Each worker loads the app for itself, so that one after the other can take up a new version.',
    'lazy-apps = true',
    `touch-chain-reload = ${uwsgiValue(file)}`,
  )
  return [{ name, text }, pythonScript(subject, settings)]
}
