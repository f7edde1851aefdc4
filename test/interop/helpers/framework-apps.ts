import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pack } from '../../../src/pack/pack.ts'
import { newPlace, type Place } from './place.ts'
import type { Prepare } from './python-servers.ts'

const run = promisify(execFile)
const APPS = join(import.meta.dirname, '../apps')

/** All but English. */
const LANGUAGES = ['[!e]*', 'e[!n]*'].map((name) => `/ZAPP-INF/lib/django/**/locale/${name}/LC_MESSAGES/`)

export const SECRET = 'never shown'
export const ADMIN = { username: 'ada', password: 'correct horse' }

/** Packs one of test/interop/apps, unmodified, with what `requirements` names from the package index. */
export async function packFramework(name: string, requirements: string, python: string): Promise<string> {
  const { dir } = await newPlace()
  const project = join(dir, 'project')
  await cp(join(APPS, name), project, { recursive: true, filter: (path) => !path.includes('__pycache__') })
  if (requirements !== '') await writeFile(join(project, 'requirements.txt'), `${requirements}\n`)
  if (name === 'django') {
    await collectStatic(project, python)
    // Translations are four files in five, and each container unpacks them for itself.
    await writeFile(join(project, '.zappignore'), LANGUAGES.map((one) => `${one}\n`).join(''))
  }
  return (await pack(project, { out: join(dir, `${name}.zapp`) })).file
}

/** As before every deployment of Django. */
async function collectStatic(project: string, python: string): Promise<void> {
  const env = { ...process.env, DATA_DIR: project, SECRET_KEY: SECRET, PYTHONDONTWRITEBYTECODE: '1' }
  await run(python, ['manage.py', 'collectstatic', '--noinput'], { cwd: project, env })
}

/** What an administrator does once: the file of secrets and, for Django, its tables and a first account. */
export function prepared(archive: string, python: string, hasTables: boolean): Prepare {
  let seed: string | undefined
  return async (place) => {
    if (hasTables) {
      seed ??= await makeTables(archive, python)
      await cp(seed, place.data, { recursive: true })
    }
    return secretsOf(place)
  }
}

async function secretsOf({ dir, user, data }: Place): Promise<string[]> {
  const file = join(dir, 'secrets.env')
  await writeFile(file, `# ${ADMIN.username}\nSECRET_KEY=${SECRET}\n`)
  await chmod(file, 0o600)
  await mkdir(data, { recursive: true })
  await run('chown', ['-R', user, file, data])
  return ['--config-file', file]
}

/** By the commands that the archive declares, and one of Django's. @returns the folder of its data folders */
async function makeTables(archive: string, python: string): Promise<string> {
  const { dir, cache, data } = await newPlace()
  const options = ['--cache', cache, '--data', data, '--config', `SECRET_KEY=${SECRET}`]
  const { username, password } = ADMIN
  const code = `from django.contrib.auth.models import User; User.objects.create_superuser("${username}", "", "${password}")`
  await run(python, [archive, 'run', 'migrate', ...options], { cwd: dir })
  await run(python, [archive, 'run', ...options, '--', '{python}', 'manage.py', 'shell', '-c', code], { cwd: dir })
  return data
}
