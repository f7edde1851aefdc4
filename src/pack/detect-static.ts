import { posix } from 'node:path'
import type { Guess, Project } from './detect-project.ts'

/** Where static sites are, in the projects of many tools. */
const SITE_FOLDERS = ['public', 'dist', 'build', 'out', '_site', 'site', 'www', 'htdocs']

/** A folder of files around an index.html, written by hand or built by Vite and its like. */
export function detectStatic(project: Project): Guess | undefined {
  const built = project.json?.scripts.build !== undefined
  // Beside a build, `public` holds what the build takes.
  const folders = built ? SITE_FOLDERS.filter((folder) => folder !== 'public' && folder !== 'site') : SITE_FOLDERS
  const sites = folders.filter((folder) => project.isFile(`${folder}/index.html`))
  const [site] = sites
  if (site === undefined) return undefined
  const page = project.read(`${site}/index.html`)
  const base = baseOf(project, site, page)
  const manifest = { ...(base === undefined ? {} : { base }), routes: routes(project, site, built && isApp(page)) }
  return {
    manifest: project.isFile(`${site}/404.html`) ? { ...manifest, errors: { 404: `${site}/404.html` } } : manifest,
    because: [
      ...sites.map((folder) => `${folder}/index.html makes ${folder} a static site`),
      ...(base === undefined ? [] : [`${site}/index.html asks for its files below ${base}`]),
      ...(built ? [`${site} is what was built last: "npm run build" makes it anew`] : []),
    ],
    ...(sites.length > 1 ? { doubt: `${sites.join(' and ')} both hold an index.html` } : {}),
    ...(built ? { ignore: ['/*', `!/${site}/`] } : {}),
  }
}

/** What is said where no detector finds anything. */
export function detectNothing(project: Project): Guess {
  const root = project.isFile('index.html')
  const doubt =
    project.json?.scripts.build !== undefined
      ? 'what its build script makes was not found: build the project first'
      : root
        ? 'index.html lies in the project’s root, where every other file would become public with it: move the site to a folder such as public'
        : 'it has no module named by package.json, no app.js, server.js or index.js, and no public/index.html'
  return { manifest: { routes: { '/': { static: 'public' } } }, because: [], doubt }
}

function routes(project: Project, site: string, app: boolean) {
  const single = app && !project.isFile(`${site}/404.html`) && pages(project, site) === 1
  const hashed = HASHED_FOLDERS.filter((folder) => {
    const names = project.list(`${site}/${folder}`)
    // A folder of the name `assets` may be anyone's.
    return names.length > 0 && (folder !== 'assets' || names.every((name) => HASHED.test(name)))
  })
  return {
    '/': { static: site, ...(single ? { else: { file: `${site}/index.html` } } : {}) },
    ...Object.fromEntries(
      hashed.map((folder) => [`/${folder}/*`, { static: `${site}/${folder}`, cache: 'immutable' }]),
    ),
  }
}

/** Where Vite, Astro, SvelteKit and Next put files whose names hold a hash of their content. */
const HASHED_FOLDERS = ['assets', '_astro', '_app/immutable', '_next/static']
const HASHED = /[-.][\w-]{8,}\.\w+$/

/** A page that builds itself: what the address is, its script finds out. */
function isApp(page: string): boolean {
  return /<script\b[^>]*\bsrc=/.test(page)
}

function pages(project: Project, folder: string): number {
  return project.list(folder).reduce((sum, name) => {
    const path = posix.join(folder, name)
    return sum + (project.isFolder(path) ? pages(project, path) : name.endsWith('.html') ? 1 : 0)
  }, 0)
}

/** The mount that the page was built for, by the addresses of files that are there; undefined: it works at any. */
function baseOf(project: Project, site: string, page: string): string | undefined {
  for (const match of page.matchAll(/\b(?:src|href)=["']?(?<path>\/[^"'\s>?#]*)/g)) {
    const segments = (match.groups?.path ?? '').slice(1).split('/')
    if (segments[0] === '') continue
    for (let n = 0; n < segments.length; n++) {
      if (project.isFile(`${site}/${segments.slice(n).join('/')}`)) return `/${segments.slice(0, n).join('/')}`
    }
  }
  return undefined
}
