import { describe, expect, it } from 'vitest'
import { cli, cliJson } from './helper.ts'

const COMMANDS = [
  ...['init', 'pack', 'validate', 'inspect', 'unpack', 'repack', 'serve', 'diff', 'run', 'emit', 'completion'],
  ...['deploy', 'undeploy', 'list', 'rollback', 'logs'],
]

describe('help and version', () => {
  it('prints the version on stdout', async () => {
    for (const flag of ['--version', '-V']) {
      expect(await cli([flag])).toEqual({ code: 0, stdout: '9.9.9\n', stderr: '' })
    }
  })

  it('lists every command with its arguments', async () => {
    const { code, stdout, stderr } = await cli(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
    expect(stdout).toContain('Examples:')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('shows help on stderr and fails when no command is given', async () => {
    const { code, stdout, stderr } = await cli([])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: zapp <command> [options]')
  })

  it.each(COMMANDS)('%s --help has options and examples within 80 columns', async (name) => {
    const asked = await cli([name, '--help'])
    expect([asked.code, asked.stderr]).toEqual([0, ''])
    expect(asked.stdout).toMatch(new RegExp(`^Usage: zapp ${name} \\[options\\]`))
    // The output of these two is somebody else's.
    expect(asked.stdout.includes('--json')).toBe(name !== 'run' && name !== 'completion')
    expect(asked.stdout).toMatch(new RegExp(`\n  \\$ .*zapp ${name}\\b`))
    expect(Math.max(...asked.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(await cli(['help', name])).toEqual(asked)
  })
})

describe('a wrong command line', () => {
  it.each([
    ['an unknown command', ['pakc'], "unknown command 'pakc'. Did you mean pack?", 'zapp --help'],
    [
      'an unknown option',
      ['pack', '--dryrun'],
      "unknown option '--dryrun'. Did you mean --dry-run?",
      'zapp pack --help',
    ],
    ['an unknown command with --help', ['nope', '--help'], "unknown command 'nope'", 'zapp --help'],
    ['help for an unknown command', ['help', 'pakc'], "unknown command 'pakc'. Did you mean pack?", 'zapp --help'],
    ['an empty argument', ['pack', ''], 'an argument is empty', 'zapp pack --help'],
    ['an empty argument among others', ['validate', 'a', ''], 'an argument is empty', 'zapp validate --help'],
    ['an option before the command', ['--josn', 'pack'], "unknown option '--josn'", 'zapp pack --help'],
    ['a missing argument', ['inspect'], "missing required argument 'file'", 'zapp inspect --help'],
    ['too many arguments', ['unpack', 'a', 'b'], 'too many arguments', 'zapp unpack --help'],
    ['an option without its value', ['pack', '-o'], "option '-o, --out <file>' argument missing", 'zapp pack --help'],
    ['a port that is none', ['serve', '--port', '99999'], 'It must be a number from 0 to 65535', 'zapp serve --help'],
    [
      'a URL with a password',
      ['inspect', 'https://me:secret@apps.example/a.zapp'],
      'a URL must hold neither user nor password',
      'zapp inspect --help',
    ],
    [
      'a mount for two apps',
      ['serve', 'a', 'b', '--mount', '/x'],
      '--mount places one app, got 2 paths',
      'zapp serve --help',
    ],
    [
      'config without a value',
      ['serve', '--config', 'NAME'],
      '--config must be NAME=VALUE, got "NAME"',
      'zapp serve --help',
    ],
  ])('%s', async (_, argv, problem, help) => {
    const { code, stdout, stderr } = await cli(argv)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^error USAGE\n/)
    expect(stderr).toContain(problem)
    expect(stderr).toContain(`  fix: See: ${help}\n`)
  })

  it('is JSON on stdout with --json, wherever the flag stands', async () => {
    for (const argv of [
      ['--json', 'inspect'],
      ['inspect', '--json'],
    ]) {
      const { code, stdout, stderr } = await cli(argv)
      expect([code, stderr]).toEqual([2, ''])
      const answer = JSON.parse(stdout)
      expect(Object.keys(answer)).toEqual(['error', 'findings'])
      expect(answer.error).toMatchObject({ code: 'USAGE', path: '' })
    }
    const { code, answer } = await cliJson(['pack', '--nope'])
    expect(code).toBe(2)
    expect(answer.findings).toEqual([
      {
        code: 'USAGE',
        severity: 'error',
        path: '',
        message: "unknown option '--nope'",
        fix: 'See: zapp pack --help',
      },
    ])
  })

  it('never sends what was typed to the terminal raw', async () => {
    const { stderr } = await cli(['\u001b]0;title\u0007'], { tty: true, env: { NO_COLOR: '1' } })
    expect(stderr).toContain("unknown command '\\u001b]0;title\\u0007'")
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })
})

describe('colour', () => {
  const colored = async (setting: Parameters<typeof cli>[1]) =>
    (await cli(['pakc'], setting)).stderr.includes('\u001b[31m')

  it('is for terminals, NO_COLOR takes it away, FORCE_COLOR gives it', async () => {
    expect(await colored({})).toBe(false)
    expect(await colored({ tty: true })).toBe(true)
    expect(await colored({ tty: true, env: { TERM: 'dumb' } })).toBe(false)
    expect(await colored({ tty: true, env: { NO_COLOR: '1' } })).toBe(false)
    expect(await colored({ tty: true, env: { NO_COLOR: '' } })).toBe(true)
    expect(await colored({ env: { FORCE_COLOR: '1' } })).toBe(true)
    expect(await colored({ tty: true, env: { FORCE_COLOR: '0' } })).toBe(false)
    expect(await colored({ env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).toBe(false)
  })
})
