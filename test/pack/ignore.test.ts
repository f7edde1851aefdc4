import { execFileSync } from 'node:child_process'
import { cpSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { IgnoreRules, ignoreLine } from '../../src/pack/ignore.ts'
import { ownFiles } from '../../src/pack/own-files.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree } from './helpers/tree.ts'

async function packed(tree: Record<string, string>): Promise<readonly string[]> {
  const root = await makeTree(tree)
  return ownFiles(root, new IgnoreRules(), undefined)
    .files.map(({ path }) => path)
    .sort()
}

const files = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'x']))

test('what no one wants in an archive is left out by default', async () => {
  const tree = files(
    '.git/HEAD',
    '.vscode/settings.json',
    '.env',
    '.env.production',
    'deep/.env',
    'npm-debug.log',
    'coverage/lcov.info',
    'old-1.0.0.zapp',
    '.DS_Store',
    'a/Thumbs.db',
    'a/main.ts~',
    '.zappignore',
    // stays
    'src/main.ts',
    'views/coverage/index.html',
    'log.js',
    '.well-known/security.txt',
  )
  expect(await packed(tree)).toEqual(['.well-known/security.txt', 'log.js', 'src/main.ts', 'views/coverage/index.html'])
})

test('a default is taken back by a pattern with "!"; nothing below an ignored folder can be', async () => {
  const tree = {
    ...files('coverage/index.html', 'app.log', '.vscode/tasks.json', 'data/keep.txt', 'data/drop.txt'),
    '.zappignore': '!/coverage\n!app.log\n!.vscode/tasks.json\n# no comment\ndata/\n!data/keep.txt\n',
  }
  expect(await packed(tree)).toEqual(['app.log', 'coverage/index.html'])
})

test('what is left out is told with its rule and where that stands', async () => {
  const root = await makeTree({
    ...files('.env', 'a/b/x.tmp', 'a/b/y.txt', 'docs/x.md'),
    '.zappignore': '# first line\n/docs/\n',
    'a/.zappignore': '*.tmp  \n',
  })
  const { leftOut } = ownFiles(root, new IgnoreRules(), undefined)
  expect(leftOut.filter(({ path }) => !path.endsWith('.zappignore'))).toEqual([
    { path: '.env', rule: '.env', from: 'default' },
    { path: 'a/b/x.tmp', rule: '*.tmp', from: 'a/.zappignore:1' },
    { path: 'docs/', rule: '/docs/', from: '.zappignore:2' },
  ])
})

test('the same files as git, with patterns of every kind in files at several depths', async () => {
  const names = [
    'a',
    'b',
    'foo',
    'bar',
    'x.js',
    'y.js',
    'z.css',
    '#hash',
    '!bang',
    'sp ace',
    'end ',
    'br[1]',
    'q?',
    'st*r',
    'ä.js',
  ]
  const folders = ['', 'foo/', 'foo/bar/', 'foo/bar/deep/', 'bar/', 'lib [1]/', 'lib [1]/foo/', 'q?/']
  const root = await makeTree({
    ...files(...folders.flatMap((folder) => names.map((name) => `${folder}f_${name}`))),
    '.zappignore': [
      '*.css',
      '/f_a',
      'bar/f_b',
      '!bar/deep/f_b',
      'f_\\#hash',
      'f_q\\?',
      '**/deep/f_x.js',
      'foo/**/f_y.js',
      '',
    ].join('\n'),
    'foo/.zappignore': '/f_foo\nf_bar\n!*.css\ndeep/f_[ab]\nf_end\\ \nf_!bang\n\\!nothing\n',
    'foo/bar/.zappignore': '!f_bar\r\n*.css\r\n/deep/f_sp*\r\n!/deep/f_a\r\n',
    'lib [1]/.zappignore': 'foo/\nf_br\\[1]\n',
    'q?/.zappignore': '*\n!f_st\\*r\n!*.js\n',
  })
  const ours = ownFiles(root, new IgnoreRules(), undefined).files.map(({ path }) => path)

  const copy = join(await tmpDir(), 'copy')
  cpSync(root, copy, { recursive: true })
  for (const folder of ['', 'foo', 'foo/bar', 'lib [1]', 'q?']) {
    renameSync(join(copy, folder, '.zappignore'), join(copy, folder, '.gitignore'))
  }
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'core.quotePath=false', ...args], { cwd: copy, encoding: 'utf8' })
  git('init', '-q')
  const theirs = git('ls-files', '-z', '--others', '--exclude-standard')
    .split('\0')
    .filter((name) => name && !name.endsWith('.gitignore'))
  expect(ours.toSorted()).toEqual(theirs.toSorted())
  expect(ours.length).toBeGreaterThan(50)
})

test('the line in a message leaves out exactly the file that it is about', () => {
  const names = [
    'a b.txt',
    'what?.txt',
    'st*r',
    '[id].js',
    'end ',
    '#x',
    '!x',
    'tab\tx',
    'back\\slash',
    'ümläut',
    'bidi\u202ex',
    '😀',
  ]
  for (const name of names) {
    const line = ignoreLine(`dir/${name}`)
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    const rules = new IgnoreRules()
    rules.add(line, '')
    expect([line, rules.own(`dir/${name}`)]).toEqual([line, { rule: line, from: '.zappignore:1' }])
    expect(rules.own(`dir/other`)).toBeUndefined()
  }
})
