import { shellWord } from '../../format/shell-word.ts'
import { access } from '../apache-access.ts'
import { lines, steps } from '../lines.ts'
import { onceSteps, redeployStep } from '../preparation.ts'
import { titleOf } from '../python-script.ts'
import { apacheString } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/**
 * A part of Apache's configuration that makes the archive a CGI script: the file itself, where it can be started and
 * nothing is to be told to it but through variables, else a script of two lines.
 */
export function cgi(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { manifest, file } = subject
  const { mount, folder, secrets } = settings
  const isItself = subject.isProgram && manifest.data.size === 0 && secrets.length === 0
  const name = `${manifest.name}.conf`
  const script = isItself ? file : `${folder}/${manifest.name}.cgi`
  const variables = { ZAPP_CACHE: settings.cache, ...settings.config }
  // At the root of a server a slash stands behind both, so that all of the path is left to the script.
  const alias = mount === '' ? ['/', `${script}/`] : [mount, script]
  const at = script.lastIndexOf('/')
  const text = lines(
    steps(
      `${titleOf(subject)} as a CGI script of Apache`,
      ...onceSteps(settings),
      [isItself ? 'File' : 'Script', `chmod 755 ${shellWord(script)}`],
      ['Enable', `as /etc/apache2/conf-available/${name}: a2enmod cgid; a2enconf ${manifest.name}; apachectl graceful`],
      redeployStep(subject, isItself ? `chmod 755 ${shellWord(file)}` : ''),
    ),
    '',
    `ScriptAlias ${alias.map((path) => apacheString(path)).join(' ')}`,
    ...access(
      script.slice(0, at) || '/',
      script.slice(at + 1),
      'Options +ExecCGI',
      ...(isItself ? Object.entries(variables).map(([key, value]) => `SetEnv ${key} ${apacheString(value)}`) : []),
      '# Apps that ask for a password themselves see it.',
      'CGIPassAuth On',
    ),
  )
  return isItself ? [{ name, text }] : [{ name, text }, cgiScript(subject, settings)]
}

function cgiScript(subject: EmitSubject, settings: EmitSettings): EmittedFile {
  const { file, manifest, hasLoader } = subject
  const { python, cache, data, secrets, envFile } = settings
  const words = [
    ...[python, '-m', 'zapp', 'cgi', file, '--cache', cache, '--data', data],
    ...Object.entries(settings.config).flatMap(([key, value]) => ['--config', `${key}=${value}`]),
  ]
  const text = lines(
    '#!/bin/sh',
    secrets.length > 0 && [
      `# Lines of NAME=VALUE, for this user's eyes only: ${secrets.join(', ')}`,
      'while IFS= read -r line; do',
      '  case $line in "#"*) ;; *=*) export "$line" ;; esac',
      `done < ${shellWord(envFile)}`,
    ],
    hasLoader && [
      '# The loader is in the archive: nothing has to be installed. By descriptor, as another archive may take its place.',
      `exec 9< ${shellWord(file)}`,
      'export PYTHONPATH=/dev/fd/9/ZAPP-INF/lib',
    ],
    `exec ${words.map(shellWord).join(' ')}`,
  )
  return { name: `${manifest.name}.cgi`, text }
}
