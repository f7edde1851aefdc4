import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { cli } from './helper.ts'

const COMMANDS = [
  ...['init', 'pack', 'validate', 'inspect', 'unpack', 'repack', 'diff', 'serve', 'run', 'emit', 'completion', 'help'],
  ...['deploy', 'undeploy', 'list', 'rollback', 'logs'],
]

let cwd: string
beforeAll(async () => {
  cwd = await tmpDir()
  for (const name of ['shop.zapp', 'my shop.zapp', 'site.zip', 'zapp.json', 'notes.txt'])
    await writeFile(join(cwd, name), '')
  await mkdir(join(cwd, 'apps'))
  await writeFile(join(cwd, 'apps/inner.zapp'), '')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout, stderr } = await cli(['completion', shell])
    expect([code, stderr]).toEqual([0, ''])
    await writeFile(join(cwd, `.completion.${shell}`), stdout)
  }
})

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

function sh(program: string, args: readonly string[]): string {
  const env = { PATH: process.env.PATH, HOME: cwd, XDG_CONFIG_HOME: cwd, XDG_DATA_HOME: cwd, TERM: 'xterm' }
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: 20_000 })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

/** [line before the cursor, what is offered for its last word] */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['zapp ', COMMANDS],
  ['zapp p', ['pack']],
  ['zapp help rep', ['repack']],
  ['zapp completion ', ['bash', 'fish', 'zsh']],
  ['zapp inspect --', ['--debug', '--help', '--json']],
  ['zapp serve shop.zapp --config-', ['--config-file']],
  ['zapp inspect s', ['shop.zapp']],
  ['zapp inspect apps/', ['apps/inner.zapp']],
  ['zapp diff shop.zapp m', ['my shop.zapp']],
  ['zapp repack s', ['shop.zapp', 'site.zip']],
  ['zapp validate z', ['zapp.json']],
  ['zapp pack ', ['apps']],
  ['zapp unpack shop.zapp -d ', ['apps']],
  ['zapp serve --config-file n', ['notes.txt']],
  ['zapp serve --port ', []],
  ['zapp run shop.zapp -- n', ['notes.txt']],
]

describe('bash', () => {
  it.each(CASES)('%s', (line, offered) => {
    const words = line.split(' ')
    const script = `
      source .completion.bash
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      _zapp
      if ((\${#COMPREPLY[@]})); then printf '%s\\n' "\${COMPREPLY[@]}"; fi`
    const found = sh('bash', ['--norc', '-c', script, 'bash', ...words])
    expect(found.split('\n').slice(0, -1).sort()).toEqual(
      [...offered, ...(line === 'zapp ' ? ['--help', '--version'] : [])].sort(),
    )
  })

  it('is registered for zapp', () => {
    expect(sh('bash', ['--norc', '-c', 'source .completion.bash; complete -p zapp'])).toContain('-F _zapp zapp')
  })
})

describe.runIf(has('fish'))('fish', () => {
  it.each(CASES)('%s', (line, offered) => {
    const found = sh('fish', ['--no-config', '-c', 'source .completion.fish; complete -C $argv[1]', line])
    const names = found
      .split('\n')
      .slice(0, -1)
      .map((row) => row.replace(/\t.*/, '').replace(/\/$/, ''))
    // Of files it offers all, those with the right ending first.
    const isPath = offered.some((name) => /^(?:apps|my)\b|\./.test(name))
    if (isPath) expect(names).toEqual(expect.arrayContaining([...offered]))
    else expect(names.sort()).toEqual([...offered].sort())
  })
})

describe.runIf(has('zsh'))('zsh', () => {
  /** What the line reads after a tab, where one word only is possible. */
  const UNIQUE: readonly (readonly [string, string])[] = [
    ['zapp insp', 'zapp inspect '],
    ['zapp help rep', 'zapp help repack '],
    ['zapp completion f', 'zapp completion fish '],
    ['zapp inspect --js', 'zapp inspect --json '],
    ['zapp serve --config-file n', 'zapp serve --config-file notes.txt '],
    ['zapp inspect s', 'zapp inspect shop.zapp '],
    ['zapp diff shop.zapp m', 'zapp diff shop.zapp my\\ shop.zapp '],
    ['zapp repack si', 'zapp repack site.zip '],
    ['zapp pack a', 'zapp pack apps/'],
    ['zapp run shop.zapp --config-', 'zapp run shop.zapp --config-file '],
  ]

  it('completes what is typed', () => {
    // A terminal of its own, in which lines are typed; ^X writes down what became of one.
    const script = `
      zmodload zsh/zpty
      zpty -b z "zsh -f -i"
      zpty -w z "PS1=; autoload -Uz compinit && compinit -u -d .dump; source ./.completion.zsh"
      zpty -w z 'note() { print -r -- "$BUFFER" >> lines; BUFFER=; }; zle -N note; bindkey "^X" note; : > lines'
      while [[ ! -e lines ]]; do zpty -r -t z out; sleep 0.01; done
      for line in "$@"; do
        before=$(wc -l < lines)
        zpty -w -n z "$line"$'\\t\\x18'
        while (( $(wc -l < lines) == before )); do zpty -r -t z out; sleep 0.01; done
      done
      zpty -d z
      cat lines`
    const found = sh('zsh', ['-f', '-c', script, 'zsh', ...UNIQUE.map(([typed]) => typed)])
    expect(found.split('\n').slice(0, -1)).toEqual(UNIQUE.map(([, line]) => line))
  })
})
