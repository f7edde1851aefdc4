import { shellWord } from '../../format/shell-word.ts'
import { access } from '../apache-access.ts'
import { lines, steps } from '../lines.ts'
import { onceSteps, redeployStep } from '../preparation.ts'
import { environmentOf, pythonScript, scriptName, titleOf } from '../python-script.ts'
import { apacheString } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/**
 * A part of Apache's configuration for mod_wsgi, and the script that it names: embedded in Apache's own processes, or
 * with `daemon` in processes of the app's own.
 */
export function modWsgi(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { manifest } = subject
  const { mount, processes, threads, user, python, daemon, folder } = settings
  const name = `${manifest.name}.conf`
  const script = `${folder}/${scriptName(subject)}`
  const environment = environmentOf(python)
  const group = daemon ? manifest.name : '%{GLOBAL}'
  const home = environment === undefined ? '' : ` python-home=${apacheString(environment)}`
  const text = lines(
    steps(
      `${titleOf(subject)} in Apache with mod_wsgi, ${daemon ? 'daemon processes' : 'embedded'}`,
      ...onceSteps(settings),
      ['Enable', `as /etc/apache2/conf-available/${name}: a2enmod wsgi; a2enconf ${manifest.name}; apachectl graceful`],
      redeployStep(subject, daemon ? `touch ${shellWord(script)}` : 'apachectl graceful'),
    ),
    '',
    daemon &&
      `WSGIDaemonProcess ${manifest.name} user=${user} processes=${processes} threads=${threads}${home} lang=C.UTF-8 locale=C.UTF-8 display-name=%{GROUP}`,
    !daemon && environment !== undefined && `WSGIPythonHome ${apacheString(environment)}`,
    '# The one interpreter that C extensions work in.',
    `WSGIScriptAlias ${apacheString(mount || '/')} ${apacheString(script)} process-group=${group} application-group=%{GLOBAL}`,
    ...access(
      folder,
      scriptName(subject),
      '# Apps that ask for a password themselves see it.',
      'WSGIPassAuthorization On',
    ),
  )
  return [{ name, text }, pythonScript(subject, settings)]
}
