import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson } from './helper.ts'

/* What the configuration says and refuses; that servers take it is shown by test/interop. */

const CONFIG = {
  PAGE_SIZE: { type: 'integer', default: 20 },
  DATABASE_URL: { type: 'url', required: true },
  SECRET_KEY: { type: 'string', secret: true, required: true },
}
const WSGI = { type: 'wsgi', app: 'app:application' }
const TARGETS = ['gunicorn', 'uwsgi', 'mod_wsgi', 'cgi', 'nginx', 'systemd']

let dir: string
let plain: string
let rich: string
let node: string
beforeAll(async () => {
  dir = await tmpDir()
  const python = { 'app.py': '', 'ZAPP-INF/lib/zapp/__init__.py': '' }
  plain = await makeArchive(dir, { name: 'plain', entry: WSGI }, { 'app.py': '' })
  const data = { notes: { path: 'notes', env: 'NOTES' } }
  const workers = { processes: 3, threads: 5 }
  rich = await makeArchive(dir, { name: 'rich', title: 'Rich\\', entry: WSGI, config: CONFIG, data, workers }, python)
  node = await makeArchive(dir, { name: 'web', entry: { type: 'node', module: 'app.js' } }, { 'app.js': '' })
})

async function emit(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(['emit', ...args])
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

const refused = async (...args: string[]) => {
  const { code, stdout, stderr } = await cli(['emit', ...args])
  expect(stdout).toBe('')
  return [code, stderr]
}

describe('zapp emit', () => {
  it.each(TARGETS)('%s: for an archive without anything special', async (target) => {
    const text = await emit(target, plain)
    expect(text).toMatch(/^# .*plain 1\.0\.0/m)
    expect(text).toMatch(/^# Redeploy {2}/m)
    // It brings no loader.
    expect(text).not.toContain('ZAPP-INF/lib')
  })

  it('takes what the manifest says, and what the user says before it', async () => {
    expect(await emit('gunicorn', rich)).toMatch(/^bind = "127.0.0.1:8000"\nworkers = 3\nthreads = 5$/m)
    const text = await emit('gunicorn', rich, '--processes', '1', '--threads', '9', '--host', '::1', '-p', '81')
    expect(text).toMatch(/^bind = "\[::1\]:81"\nworkers = 1\nthreads = 9$/m)
    expect(await emit('uwsgi', rich, '--socket', '/run/rich.sock')).toContain('\nsocket = /run/rich.sock\n')
    expect(await emit('systemd', rich, '--user', 'rich')).toContain('\nUser=rich\n')
    const based = await makeArchive(dir, { base: '/only', routes: { '/': { static: 'a' } } }, { 'a/b': '' })
    expect(await emit('mod_wsgi', based)).toContain('WSGIScriptAlias "/only" ')
  })

  it('prints values that are given, and never a secret', async () => {
    for (const target of ['gunicorn', 'uwsgi', 'mod_wsgi', 'cgi', 'systemd']) {
      const text = await emit(target, rich, '--config', 'PAGE_SIZE=7', '--config-file', '/etc/rich.env')
      expect(text).toMatch(/\bPAGE_SIZE["']?[:=] ?"?7\b/)
      expect(text).toContain('/etc/rich.env')
      expect(text).toMatch(/# .*DATABASE_URL, SECRET_KEY/)
    }
    const [code, text] = await refused('systemd', rich, '--config', 'SECRET_KEY=x')
    expect([code, text]).toEqual([2, expect.stringContaining('SECRET_KEY is a secret, which is not printed')])
  })

  it('makes a service of a whole host, for a folder of apps', async () => {
    const text = await emit('systemd', dir, '-p', '80', '--user', 'web')
    const serve = `ExecStart=zapp serve ${dir} --settings /etc/zapp/zapp.host.json --port 80 --state %S/zapp-host `
    expect(text).toContain(serve)
    expect(text).toMatch(/^Type=notify\n# .*\nNotifyAccess=all$/m)
    expect(text).toMatch(/^ExecReload=kill -HUP \$MAINPID\nUser=web$/m)
    // Port 80 takes a right.
    expect(text).toMatch(/^CapabilityBoundingSet=(CAP_NET_BIND_SERVICE)\nAmbientCapabilities=\1$/m)
    expect(await emit('systemd', dir)).toMatch(/^CapabilityBoundingSet=\n(?!Ambient)/m)
    const [code, refusal] = await refused('systemd', dir, '--cache', '/c')
    expect([code, refusal]).toEqual([2, expect.stringContaining('--cache means nothing for a folder of apps')])
    expect((await refused('gunicorn', dir))[0]).not.toBe(0)
  })

  it('says which target can run what this one cannot', async () => {
    for (const target of ['gunicorn', 'uwsgi', 'mod_wsgi', 'cgi']) {
      const [code, text] = await refused(target, node)
      expect(code).toBe(1)
      expect(text).toContain('error EMIT_TARGET')
      expect(text).toContain(`entry "main" of type "node" must be run by nginx or systemd, got "${target}"`)
      expect(text).toContain('zapp emit systemd ')
    }
    expect(await emit('systemd', node)).toContain('ExecStart=zapp serve ')
  })

  it.each([
    ['an option of another target', ['gunicorn', '--daemon'], '--daemon means nothing to gunicorn'],
    ['workers of Apache', ['mod_wsgi', '--threads', '2'], '--threads needs --daemon'],
    ['two places', ['gunicorn', '--socket', '/s', '--port', '1'], 'either --socket or --host and --port'],
    ['uWSGI without its socket', ['nginx', '--uwsgi'], '--uwsgi needs --socket'],
    ['a line break', ['gunicorn', '--cache', '/a\nimport os'], '--cache must be of visible characters'],
    ['a user', ['systemd', '--user', 'a b'], '--user is not one, got "a b"'],
    ['a host', ['gunicorn', '--host', 'a;b'], '--host is not one'],
    ['an unknown target', ['tomcat'], "command-argument value 'tomcat' is invalid"],
  ])('%s is a wrong command line', async (_, [target = '', ...flags], problem) => {
    const [code, text] = await refused(target, plain, ...flags)
    expect([code, text]).toEqual([2, expect.stringContaining(problem)])
  })

  it('refuses what is not declared', async () => {
    expect(await refused('gunicorn', rich, '--config', 'PAGE_SIZ=1')).toEqual([
      1,
      expect.stringMatching(/CONFIG_UNKNOWN[\s\S]*did you mean "PAGE_SIZE"/),
    ])
    expect(await refused('gunicorn', rich, '--mount', 'shop')).toEqual([2, expect.stringContaining('MOUNT_PATH')])
  })

  it('refuses what a syntax has no way to say', async () => {
    const placed = async (folder: string) => {
      await mkdir(join(dir, folder))
      const made = await makeArchive(dir, { name: 'odd', entry: WSGI }, { 'app.py': '' })
      const file = join(dir, folder, 'odd.zapp')
      await rename(made, file)
      return file
    }
    const apache = await placed(['a', '{b}'].join(' $'))
    for (const target of ['mod_wsgi', 'cgi']) {
      expect(await refused(target, apache)).toEqual([1, expect.stringContaining('error EMIT_VALUE')])
    }
    const uwsgi = await placed('a $(b)')
    expect((await refused('uwsgi', uwsgi))[1]).toContain('a value must hold no "$(" in a configuration of uWSGI')
    expect(await emit('gunicorn', uwsgi)).toContain('$(b)')
  })

  it('writes files, and replaces none', async () => {
    const out = join(dir, 'out')
    const { answer } = await cliJson<{ files: { name: string; text: string }[] }>(['emit', 'cgi', rich, '-o', out])
    expect(answer.files.map(({ name }) => name)).toEqual(['rich.conf', 'rich.cgi'])
    for (const { name, text } of answer.files) expect(await readFile(join(out, name), 'utf8')).toBe(text)
    expect((await stat(join(out, 'rich.cgi'))).mode & 0o777).toBe(0o755)
    expect(answer.files[0]!.text).toContain(`ScriptAlias "/" "${out}/rich.cgi/"`)
    expect(await refused('mod_wsgi', rich, '-o', out)).toEqual([1, expect.stringContaining('error TARGET_EXISTS')])
    expect(await readdir(out)).toEqual(['rich.cgi', 'rich.conf'])
    const { stdout } = await cli(['emit', 'uwsgi', rich, '-o', out], { cwd: dir })
    expect(stdout).toBe('out/rich.uwsgi.ini\nout/rich.wsgi\n')
  })

  it('Python reads back what was written', async () => {
    const value = `'"\\ {x} %s \u{1f98a}`
    const text = await emit(
      'gunicorn',
      rich,
      '--config',
      `PAGE_SIZE=${value}`,
      '--cache',
      `/c ${value}`,
      '--config-file',
      '/dev/null',
    )
    const program = `import json,sys\nnames={}\nexec(sys.stdin.read(), names)\nprint(json.dumps([names["raw_env"], names["wsgi_app"]]))`
    const [env, app] = JSON.parse(execFileSync('python3', ['-c', program], { input: text, encoding: 'utf8' }))
    expect(env).toEqual([`PAGE_SIZE=${value}`])
    const call = `import ast,json,sys\nprint(json.dumps([ast.literal_eval(k.value) for k in ast.parse(sys.argv[1][5:], mode="eval").body.keywords]))`
    const read = execFileSync('python3', ['-c', call, app], { encoding: 'utf8' })
    expect(JSON.parse(read)).toEqual([`/c ${value}`, '/var/lib/zapp-rich'])
  })
})
