import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

/* What documents and code say of each other. */

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const FOLDERS = ['src', 'fixtures/make', 'scripts', 'bench', 'test']

const filesBelow = (folder: string, ending: RegExp) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name))

const CODE = FOLDERS.flatMap((folder) => filesBelow(folder, /\.(?:ts|js)$/)).map((file) => [file, read(file)] as const)

test('the sections of FORMAT.md that code refers to are there', () => {
  const headings = [...read('schema/FORMAT.md').matchAll(/^#{2,4} (.+)$/gm)].map(([, heading]) => heading!)
  const missing = CODE.flatMap(([file, code]) =>
    [...code.matchAll(/FORMAT\.md §([A-Z][A-Za-z.-]*(?: [a-z.]+)*)/g)]
      .filter(([, to]) => !headings.some((heading) => to!.replace(/\.$/, '').startsWith(heading)))
      .map(([, to]) => [file, to]),
  )
  expect(missing).toEqual([])
})

test('the documents that code refers to are in the repository', () => {
  const documents = new Set(['.', 'schema', 'fixtures/requests'].flatMap((folder) => readdirSync(join(ROOT, folder))))
  const missing = CODE.flatMap(([file, code]) =>
    [...code.matchAll(/\b[A-Z][A-Z-]+\.md\b/g)].filter(([name]) => !documents.has(name)).map(([name]) => [file, name]),
  )
  expect(missing).toEqual([])
})

test('links between documents lead somewhere', () => {
  const documents = ['CONTRIBUTING.md', 'schema/FORMAT.md', 'schema/ERRORS.md', ...filesBelow('docs', /\.md$/)]
  const anchors = (path: string) =>
    [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
  const missing = documents.flatMap((from) =>
    [...read(from).matchAll(/\]\(([^):]*?)(?:#([^)]*))?\)/g)].flatMap(([link, file, anchor]) => {
      const path = file === '' ? from : join(from, '..', file!)
      const isThere = readdirSync(join(ROOT, path, '..')).includes(basename(path))
      return isThere && (anchor === undefined || anchors(path).includes(anchor)) ? [] : [`${from}: ${link}`]
    }),
  )
  expect(missing).toEqual([])
})

test('CONTRIBUTING.md gives a reason for each dependency', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'))
  const section = read('CONTRIBUTING.md').split('## Dependencies')[1]!
  const rows = [...section.matchAll(/^\| ((?:@?[a-z0-9][a-z0-9@/.,… -]*)) \| [^|]+ \|$/gm)]
  const listed = rows.flatMap(([, names]) => names!.split(', ')).filter((name) => name !== 'package')
  const wanted = Object.keys({ ...dependencies, ...devDependencies }).map((name) =>
    name.replace(/^@types\/.*/, '@types/…'),
  )
  expect(new Set(listed)).toEqual(new Set(wanted))
})
